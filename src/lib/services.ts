/** The services of this process, built once from its settings, and how they are ended. */
import { setTimeout } from 'node:timers/promises';
import { type AnswerCache, createAnswerCache, openCacheTiers } from './answer-cache.ts';
import { ChatHistory } from './chat-history.ts';
import type { Completion } from './chat-model.ts';
import type { Config } from './config.ts';
import { type ConnectionKeeper, createConnectionKeeper } from './connection-keeper.ts';
import { errors } from './errors.ts';
import { createHttpClient, type HttpClient } from './http-client.ts';
import { Claims } from './idempotency.ts';
import { atLevel } from './log.ts';
import { createProcessMetrics, type ProcessMetrics } from './metrics.ts';
import type { ProcessState } from './question-meters.ts';
import { createReporter, type Reporter } from './reporter.ts';
import { createResilientModel, type ResilientModel } from './resilient-model.ts';
import type { RowStore } from './row-store.ts';
import { SessionIndex } from './session-index.ts';
import { SingleFlight } from './single-flight.ts';
import { createTableRowStore } from './table-row-store.ts';
import { WorkUnderWay } from './work.ts';

/** Everything that a question needs. */
export interface Services {
  config: Config;
  /** Where sessions are kept. */
  store: RowStore;
  history: ChatHistory;
  claims: Claims;
  index: SessionIndex;
  /** Null when ANSWER_CACHE_TTL_SECONDS is 0. */
  cache: AnswerCache | null;
  /** Model calls under way that may serve more than one question, by cache key. */
  flights: SingleFlight<Completion>;
  model: ResilientModel;
  http: HttpClient;
  keeper: ConnectionKeeper;
  metrics: ProcessMetrics;
  /** What this process is about at the moment. */
  state: ProcessState;
  /** Null when nobody receives traces and metrics. */
  reporter: Reporter | null;
  /** For what goes wrong when no invocation is there to log it. */
  warn: (message: string) => void;
  /** Writes that no answer waits for. */
  background: WorkUnderWay;
  /** Requests being answered. */
  requests: WorkUnderWay;
  /** Aborted, with the error for the caller, when what is still open must end. */
  stopSignal: AbortSignal;
  /**
   * Ends everything, in at most 4 s: open requests get 3 s to finish, then `stopping`; background writes are
   * drained; connections and the cache file are closed.
   */
  stop(): Promise<void>;
}

/** How much of its time a question gives to one attempt, so that a connection that died silently leaves time for another. */
const ATTEMPT_SHARE = 0.6;
/** All of it; the worker is killed 5 s after it was told to stop. */
const STOP_MS = 3900;
const FINISH_REQUESTS_MS = 3000;
const END_REQUESTS_MS = 400;
const DRAIN_WRITES_MS = 400;
/** The worker exits right after us; the library still has to send what handlers have just answered. */
const SEND_ANSWERS_MS = 100;

/** Builds the services. The connections to the model are opened and the cache file prepared in the background. */
export async function createServices(config: Config): Promise<Services> {
  const http = createHttpClient({ responseTimeoutMs: Math.round(ATTEMPT_SHARE * config.requestTimeoutMs) });
  const origins = config.model.endpoints.map(({ url }) => new URL(url).origin);
  const keeper = createConnectionKeeper(http, origins, config.keepWarmMs);
  const background = new WorkUnderWay();
  const { warn } = atLevel(config.logLevel, console);
  for (const warning of config.warnings) warn(warning);
  const store = await createTableRowStore(config.storage);
  // A row that is nowhere: to be connected and signed in to storage before the first question is.
  if (config.keepWarmMs > 0) background.add(store.get('warm', 'warm')).catch(() => {});
  const cache = await openCache(config.cache, background, warn);
  const requests = new WorkUnderWay();
  const stopping = new AbortController();
  const model = createResilientModel(config.model, http, warn);
  const metrics = createProcessMetrics(config.model.prices);
  const state: ProcessState = {
    openBreakers: () => model.openBreakers(),
    openConnections: () => http.openConnections(),
    backgroundWrites: () => cache?.writes ?? { done: 0, failed: 0 },
  };
  const reporter = createReporter(config, metrics.instanceId, state, warn);

  return {
    config,
    store,
    history: new ChatHistory(store, config.sessionTtlMs),
    claims: new Claims(store),
    index: new SessionIndex(store, config.sessionTtlMs),
    cache,
    flights: new SingleFlight(),
    model,
    http,
    keeper,
    metrics,
    state,
    reporter,
    warn,
    background,
    requests,
    stopSignal: stopping.signal,
    async stop() {
      const startedAt = performance.now();
      keeper.stop();
      await requests.drain(FINISH_REQUESTS_MS);
      stopping.abort(errors.stopping());
      await requests.drain(END_REQUESTS_MS);
      // Questions seldom take all of their time, and what they leave is for a receiver that is slow.
      const flushMs = STOP_MS - (performance.now() - startedAt);
      await Promise.all([
        background.drain(DRAIN_WRITES_MS),
        setTimeout(SEND_ANSWERS_MS),
        reporter?.stop(flushMs),
      ]);
      await Promise.allSettled([cache?.close(), http.close()]);
    },
  };
}

async function openCache(
  config: Config['cache'],
  writes: WorkUnderWay,
  warn: (message: string) => void,
): Promise<AnswerCache | null> {
  if (config.ttlMs === 0) return null;
  return createAnswerCache(await openCacheTiers(config, warn), config.ttlMs, writes, warn);
}
