/** The behaviours that the options of `npm start` can give the emulated model. */
import type { RefusedParameter } from './refusals.ts';
import type { Catalogue } from './catalogue.ts';
import { MODEL } from './completions.ts';
import type { Reasoning } from './exchange.ts';
import type { Fault, LastingFault } from './faults.ts';

/** Options of the emulator, and the line of help that describes them. */
export interface Behaviour {
  help: string;
  fault?: LastingFault;
  refuses?: RefusedParameter[];
  reasoning?: Reasoning;
  latencyMs?: number;
  tokenDelayMs?: number;
  catalogue?: Catalogue;
}

const REQUESTS_PER_MINUTE = 5;
const DAY_MS = 24 * 60 * 60_000;

/** The behaviours that have an option of their own, such as `--slow`. */
export const MOODS: Record<'slow' | 'limited' | 'failing', Behaviour> = {
  slow: { help: 'answers begin after 5 s and come slowly', latencyMs: 5000, tokenDelayMs: 150 },
  limited: {
    help: `${REQUESTS_PER_MINUTE} requests a minute, then the app waits for the next minute`,
    fault: rateLimit(REQUESTS_PER_MINUTE),
  },
  failing: { help: 'half of the requests fail: 500, 503, reset or no data', fault: half() },
};

/** A quota that is full again at the start of each minute. */
function rateLimit(perMinute: number): () => Fault | undefined {
  let minute = 0;
  let requests = 0;
  return () => {
    const now = Date.now() / 60_000;
    if (Math.floor(now) !== minute) requests = 0;
    minute = Math.floor(now);
    if (++requests <= perMinute) return undefined;
    return { kind: 'status', status: 429, retryAfter: String(Math.ceil(60 * (minute + 1 - now))) };
  };
}

function half(): () => Fault | undefined {
  const faults: (Fault | undefined)[] = [
    { kind: 'status', status: 500 },
    { kind: 'status', status: 503 },
    { kind: 'reset' },
    { kind: 'empty' },
  ];
  return () => faults[Math.floor(Math.random() * 2 * faults.length)];
}

/** Behaviours by name. docs/faults.md lists what a caller then sees. */
export const BEHAVIOURS: Record<string, Behaviour> = {
  'reasoning-model': {
    help: 'thinks for 5 s, and refuses temperature and max_tokens, as gpt-5 and the o-series do',
    reasoning: { thinkMs: 5000, tokens: 64 },
  },
  'context-length': { help: 'every conversation is too long', fault: { kind: 'context_length' } },
  'context-length-newer': {
    help: 'the same in the wording of gpt-5',
    fault: { kind: 'context_length', wording: 'newer' },
  },
  'content-filter': { help: 'the content filter refuses every prompt', fault: { kind: 'content_filter' } },
  'async-content-filter': {
    help: 'the asynchronous content filter withdraws every answer',
    fault: { kind: 'async_content_filter' },
  },
  'output-limit': {
    help: 'reasoning uses up the output limit',
    fault: { kind: 'answer', content: '', finishReason: 'length', reasoningTokens: 64 },
  },
  empty: { help: 'answers have no text', fault: { kind: 'answer', content: '' } },
  'rate-limit': { help: '429, Retry-After: 30', fault: { kind: 'status', status: 429, retryAfter: '30' } },
  'server-error': { help: '500', fault: { kind: 'status', status: 500 } },
  'wrong-key': { help: '401', fault: { kind: 'status', status: 401 } },
  'retired-model': {
    help: '400 OperationNotSupported: the model is retired',
    fault: { kind: 'retired_model' },
  },
  'retiring-model': {
    help: 'the model retires in 60 days, as the log and /health/ready then say',
    catalogue: { models: [{ id: MODEL, retiresAt: Date.now() + 60 * DAY_MS }] },
  },
  'no-deployment': { help: '404 DeploymentNotFound', fault: { kind: 'no_deployment' } },
  hang: { help: 'no answer until the client gives up', fault: { kind: 'hang' } },
  stall: { help: 'half an answer, then silence', fault: { kind: 'stall' } },
  garbage: { help: '200 with a body that is not JSON', fault: { kind: 'garbage' } },
  reset: { help: 'the stream of each request is reset', fault: { kind: 'reset' } },
  'lose-connection': {
    help: 'each request breaks its connection, with all requests in flight on it',
    fault: { kind: 'lose_connection' },
  },
};
