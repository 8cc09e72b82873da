/** The model with its fallback endpoints, retries and a limit of concurrent calls. */
import { setTimeout as delay } from 'node:timers/promises';
import pRetry from 'p-retry';
import { Bulkhead } from './bulkhead.ts';
import type { Completion } from './completion.ts';
import type { ModelConfig } from '../config/config.ts';
import type { ConnectionRecord } from '../pool/connection-record.ts';
import { errors } from '../contract/errors.ts';
import type { HttpClient } from '../pool/http-client.ts';
import { createLangChainModel } from './langchain-model.ts';
import { type EndpointRequest, isRetryable, ModelEndpoint } from './endpoint.ts';
import { type ModelParameters, parametersOf } from './parameters.ts';
import type { Message } from './completion.ts';
import { signIn } from './credential.ts';
import { untilAborted } from '../runtime/until-aborted.ts';

/** Attempts at one question, on all endpoints together. */
const MAX_ATTEMPTS = 3;
/** Before the second attempt at an endpoint: this to twice this; before the third, twice as long. */
const BACKOFF_MS = 250;

/** What a model call needs of the question it is for. */
export interface ModelCall {
  /** Learns about the connection and the attempts. */
  record: ConnectionRecord;
  /** Ends the call; its reason is thrown. */
  signal: AbortSignal;
  /** When the question's time ends, on the clock of `performance.now()`: no attempt begins that has to wait for longer. */
  deadline: number;
  /** The answer comes as a stream, and this is given its text. */
  onToken?: ((text: string) => void) | undefined;
  /** Is given each completion of this call, also one that is no answer: its tokens are spent. */
  onCompletion: (completion: Completion) => void;
}

/** The model with fallback endpoints, retries and a concurrency limit. */
export interface ResilientModel {
  /** Asks. @throws AskError when there is no answer, or the reason of the signal, whatever the library does. */
  complete(prompt: Message[], call: ModelCall): Promise<Completion>;
  /** What the primary endpoint is sent at the moment: the settings, without what it refused. */
  parameters(): ModelParameters;
  /** Milliseconds until an endpoint may be asked; 0 while one may. */
  waitMs(): number;
  /** Resolves to true when an endpoint answers at all. It is asked for nothing that costs tokens. */
  isReachable(): Promise<boolean>;
  /** Whether each endpoint is left alone at the moment, in the order of the settings. */
  openBreakers(): boolean[];
}

/** Makes the model of this process. `warn` is told what who runs the app should know. */
export function createResilientModel(
  config: ModelConfig,
  client: HttpClient,
  warn: (message: string) => void,
): ResilientModel {
  let token: (() => Promise<string>) | undefined;
  const signedIn = () => (token ??= signIn(config.identity, config.tokenScope));
  const parameters = parametersOf(config);
  const [first, ...others] = config.endpoints;
  const open = (endpoint: typeof first, index: number): ModelEndpoint => {
    const model = createLangChainModel(config, endpoint, endpoint.apiKey ?? signedIn(), client);
    return new ModelEndpoint(index, model, parameters, warn);
  };
  const primary = open(first, 0);
  const endpoints = [primary, ...others.map((endpoint, index) => open(endpoint, index + 1))];
  const bulkhead = new Bulkhead(config.maxConcurrency);
  return {
    parameters: () => primary.parameters,
    waitMs: () => waitOf(endpoints),
    async isReachable() {
      const answers = config.endpoints.map(({ url }) => client.warm(new URL(url).origin));
      return (await Promise.all(answers)).includes(true);
    },
    openBreakers: () => endpoints.map(({ breaker }) => breaker.isOpen),
    complete: (prompt, call) =>
      bulkhead.run(() => untilAborted(tryEndpoints(endpoints, prompt, call), call.signal), call.signal),
  };
}

function tryEndpoints(endpoints: ModelEndpoint[], prompt: Message[], call: ModelCall): Promise<Completion> {
  const { record, signal, deadline, onToken, onCompletion } = call;
  // What the caller has seen cannot be taken back: from the first token on, nothing is tried again.
  let begun = false;
  const onFirst = (text: string): void => {
    begun = true;
    onToken?.(text);
  };
  const request: EndpointRequest = {
    prompt,
    record,
    signal,
    onToken: onToken && onFirst,
    onCompletion,
  };
  const tried = new Map<ModelEndpoint, number>();
  const pick = () => pickEndpoint(endpoints, tried);

  return pRetry(
    async (number) => {
      // The first never waits: the limit that another question met may not be one for this.
      if (number > 1) await delay(pick()?.limitMs ?? 0, undefined, { signal });
      const endpoint = pick();
      if (!endpoint) throw errors.circuitOpen(waitOf(endpoints));
      tried.set(endpoint, 1 + (tried.get(endpoint) ?? 0));
      return endpoint.ask(request);
    },
    {
      signal,
      retries: MAX_ATTEMPTS - 1,
      minTimeout: BACKOFF_MS,
      randomize: true,
      // Another endpoint is asked at once; what does not count here is not waited for.
      shouldConsumeRetry() {
        const next = pick();
        return next === undefined || tried.has(next);
      },
      shouldRetry({ error, attemptNumber, retryDelay }) {
        const next = pick();
        if (attemptNumber >= MAX_ATTEMPTS || !isRetryable(error) || !next || begun) return false;
        return performance.now() + Math.max(retryDelay, next.limitMs) < deadline;
      },
    },
  );
}

const waitOf = (endpoints: ModelEndpoint[]): number =>
  Math.min(...endpoints.map(({ breaker }) => breaker.waitMs));

/** The one to ask next: the first in order of those that are not limited, then of those tried least. */
function pickEndpoint(
  endpoints: ModelEndpoint[],
  tried: Map<ModelEndpoint, number>,
): ModelEndpoint | undefined {
  const triesOf = (endpoint: ModelEndpoint): number => tried.get(endpoint) ?? 0;
  return endpoints
    .filter(({ breaker }) => breaker.waitMs === 0)
    .toSorted((a, b) => a.limitMs - b.limitMs || triesOf(a) - triesOf(b))[0];
}
