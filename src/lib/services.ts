/** The services of this process, built once from its settings, and how they are ended. */
import { setTimeout } from 'node:timers/promises';
import type { BaseChatModel } from '@langchain/core/language_models/chat_models';
import { type AnswerCache, createAnswerCache } from './answer-cache.ts';
import type { ChatHistory } from './chat-history.ts';
import { createChatModel } from './chat-model.ts';
import type { Config } from './config.ts';
import { type ConnectionKeeper, createConnectionKeeper } from './connection-keeper.ts';
import { errors } from './errors.ts';
import { createHttpClient, type HttpClient } from './http-client.ts';
import { createProcessMetrics, type ProcessMetrics } from './metrics.ts';
import { createTableChatHistory } from './table-chat-history.ts';
import { WorkUnderWay } from './work.ts';

/** Everything that a question needs. */
export interface Services {
  config: Config;
  history: ChatHistory;
  /** Null when ANSWER_CACHE_TTL_SECONDS is 0. */
  cache: AnswerCache | null;
  model: BaseChatModel;
  http: HttpClient;
  keeper: ConnectionKeeper;
  metrics: ProcessMetrics;
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

const FINISH_REQUESTS_MS = 3000;
const END_REQUESTS_MS = 400;
const DRAIN_WRITES_MS = 400;
/** The worker exits right after us; the library still has to send what handlers have just answered. */
const SEND_ANSWERS_MS = 100;

/** Builds the services. The connection to the model is opened and the cache file prepared in the background. */
export async function createServices(config: Config): Promise<Services> {
  const http = createHttpClient();
  const keeper = createConnectionKeeper(http, config.model.endpoint, config.keepWarmMs);
  const writes = new WorkUnderWay();
  const cache = config.cache.ttlMs > 0 ? createAnswerCache(config.cache, writes, console.warn) : null;
  const requests = new WorkUnderWay();
  const stopping = new AbortController();

  return {
    config,
    history: await createTableChatHistory(config.storage),
    cache,
    model: createChatModel(config.model, http),
    http,
    keeper,
    metrics: createProcessMetrics(),
    requests,
    stopSignal: stopping.signal,
    async stop() {
      keeper.stop();
      await requests.drain(FINISH_REQUESTS_MS);
      stopping.abort(errors.stopping());
      await requests.drain(END_REQUESTS_MS);
      await Promise.all([writes.drain(DRAIN_WRITES_MS), setTimeout(SEND_ANSWERS_MS)]);
      await Promise.allSettled([cache?.close(), http.close()]);
    },
  };
}
