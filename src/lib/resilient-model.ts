/** The model behind its endpoints: which one is asked, when it is asked again, and when nobody is. */
import { setTimeout as delay } from 'node:timers/promises';
import type { BaseChatModel } from '@langchain/core/language_models/chat_models';
import pRetry from 'p-retry';
import { Bulkhead } from './bulkhead.ts';
import { type Completion, complete, createChatModel, stream } from './chat-model.ts';
import { CircuitBreaker } from './circuit-breaker.ts';
import type { ModelConfig } from './config.ts';
import type { ConnectionRecord } from './connection-record.ts';
import { AskError, errors } from './errors.ts';
import type { HttpClient } from './http-client.ts';
import type { Message } from './prompt.ts';
import { signIn } from './sign-in.ts';

/** Attempts at one question, on all endpoints together: DESIGN, "Faults". */
const MAX_ATTEMPTS = 3;
/** Before the second attempt at an endpoint: this to twice this; before the third, twice as long. */
const BACKOFF_MS = 250;
/** How long an endpoint counts as rate-limited that does not say for how long it is. */
const DEFAULT_LIMIT_MS = 1000;
/** Share of a wait that the model asked for, added at random so that not all come back at the same moment. */
const LIMIT_JITTER = 0.1;

/** What a model call needs of the question it is for. */
export interface ModelCall {
  /** Learns about the connection and the attempts. */
  record: ConnectionRecord;
  /** Ends the call; its reason is thrown. */
  signal: AbortSignal;
  /** When the signal will end it at the latest, on the clock of `performance.now()`. */
  deadline: number;
}

/** The model, with all endpoints and all patience. */
export interface ResilientModel {
  /**
   * Asks. With `onToken` the answer comes as a stream, and `onToken` is given its text as it comes.
   * @throws AskError by DESIGN's table of faults, or the reason of the signal.
   */
  complete(prompt: Message[], call: ModelCall, onToken?: (text: string) => void): Promise<Completion>;
  /** Whether each endpoint is left alone at the moment, in the order of the settings. */
  openBreakers(): boolean[];
}

interface Endpoint {
  index: number;
  model: BaseChatModel;
  breaker: CircuitBreaker;
  /** It asked for patience until then, on the clock of `performance.now()`. */
  limitedUntil: number;
}

/** Makes the model of this process. `warn` is told when an endpoint is no longer asked. */
export function createResilientModel(
  config: ModelConfig,
  client: HttpClient,
  warn: (message: string) => void,
): ResilientModel {
  let token: (() => Promise<string>) | undefined;
  const signedIn = () => (token ??= signIn(config.identity, config.tokenScope));
  const endpoints = config.endpoints.map((endpoint, index): Endpoint => {
    const onOpen = () =>
      warn(`Endpoint ${index} of the model fails again and again; it is left alone for 10 s.`);
    const model = createChatModel(config, endpoint, endpoint.apiKey ?? signedIn(), client);
    return { index, model, breaker: new CircuitBreaker(onOpen), limitedUntil: 0 };
  });
  const bulkhead = new Bulkhead(config.maxConcurrency);
  return {
    openBreakers: () => endpoints.map(({ breaker }) => breaker.isOpen),
    complete: (prompt, call, onToken) => {
      const { record, signal } = call;
      // What the caller has seen cannot be taken back: from the first token on, nothing is tried again.
      let begun = false;
      const onFirst = (text: string): void => {
        begun = true;
        onToken?.(text);
      };
      const attempt = ({ model }: Endpoint) =>
        onToken ? stream(model, prompt, record, signal, onFirst) : complete(model, prompt, record, signal);
      return bulkhead.run(() => tryEndpoints(endpoints, attempt, call, () => begun), signal);
    },
  };
}

function tryEndpoints<T>(
  endpoints: Endpoint[],
  attempt: (endpoint: Endpoint) => Promise<T>,
  { record, signal, deadline }: ModelCall,
  hasBegun: () => boolean,
): Promise<T> {
  const tried = new Map<Endpoint, number>();
  const pick = () => pickEndpoint(endpoints, tried);

  return pRetry(
    async (number) => {
      // The first never waits: the limit that another question met may not be one for this.
      if (number > 1) await delay(waitOf(pick()), undefined, { signal });
      const endpoint = pick();
      if (!endpoint) throw errors.circuitOpen(Math.min(...endpoints.map(({ breaker }) => breaker.waitMs)));
      tried.set(endpoint, 1 + (tried.get(endpoint) ?? 0));
      record.endpoint = endpoint.index;
      return endpoint.breaker
        .run(() => attempt(endpoint), isFailure)
        .catch((error: unknown) => {
          noteLimit(endpoint, error);
          throw error;
        });
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
        if (attemptNumber >= MAX_ATTEMPTS || !isRetryable(error) || !next || hasBegun()) return false;
        return performance.now() + Math.max(retryDelay, waitOf(next)) < deadline;
      },
    },
  );
}

/** The one to ask next: the first in order of those that are not limited, then of those tried least. */
function pickEndpoint(endpoints: Endpoint[], tried: Map<Endpoint, number>): Endpoint | undefined {
  const triesOf = (endpoint: Endpoint): number => tried.get(endpoint) ?? 0;
  return endpoints
    .filter(({ breaker }) => breaker.waitMs === 0)
    .toSorted((a, b) => waitOf(a) - waitOf(b) || triesOf(a) - triesOf(b))[0];
}

/** Milliseconds for which an endpoint wants no requests. */
function waitOf(endpoint: Endpoint | undefined): number {
  return Math.max(0, (endpoint?.limitedUntil ?? 0) - performance.now());
}

function noteLimit(endpoint: Endpoint, error: unknown): void {
  if (!isRetryable(error)) return;
  const { code, retryAfterMs = code === 'model_rate_limited' ? DEFAULT_LIMIT_MS : 0 } = error;
  const waitMs = retryAfterMs * (1 + LIMIT_JITTER * Math.random());
  endpoint.limitedUntil = Math.max(endpoint.limitedUntil, performance.now() + waitMs);
}

const isFailure = (error: unknown): boolean =>
  error instanceof AskError && error.code === 'model_unavailable';

const isRetryable = (error: unknown): error is AskError =>
  isFailure(error) || (error instanceof AskError && error.code === 'model_rate_limited');
