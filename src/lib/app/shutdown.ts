/** The shutdown: finishes or aborts open requests, drains background writes, then closes connections and files. */
import { setTimeout as delay } from 'node:timers/promises';
import type { AnswerCache } from '../cache/answer-cache.ts';
import type { Budgets } from '../budget/budgets.ts';
import { errors } from '../contract/errors.ts';
import type { ResilientModel } from '../model/resilient-model.ts';
import type { HttpClient, KeepWarm } from '../pool/http-client.ts';
import type { PendingWork } from '../common/pending-work.ts';
import type { LangSmith } from '../telemetry/langsmith.ts';
import type { Reporter } from '../telemetry/reporter.ts';

/** Time limit of the whole shutdown. The Functions host kills the worker 5 s after asking it to stop. */
const STOP_MS = 3900;
const FINISH_REQUESTS_MS = 3000;
const ABORT_REQUESTS_MS = 400;
const DRAIN_WRITES_MS = 400;
/** Time for the library to send the last responses: the worker exits right after the shutdown. */
const SEND_RESPONSES_MS = 100;

/** What has to be stopped, in this order. */
export interface ShutdownParts {
  keepWarm: KeepWarm;
  model: Pick<ResilientModel, 'stop'>;
  /** Requests in progress. */
  requests: PendingWork;
  /** Background writes. */
  pending: PendingWork;
  budgets: Budgets | null;
  reporter: Reporter | null;
  langSmith: LangSmith | null;
  cache: AnswerCache | null;
  http: HttpClient;
}

/** The shutdown of a process. */
export interface Shutdown {
  /** Aborts when requests still open after 3 s must end; the reason is the error for the caller. */
  stopSignal: AbortSignal;
  /**
   * Stops everything within 4 s: open requests get 3 s to finish and then the error `stopping`; background writes are
   * drained; connections and the cache file are closed.
   */
  stop(): Promise<void>;
}

/** Creates the shutdown of this process. */
export function createShutdown(parts: ShutdownParts): Shutdown {
  const { keepWarm, model, requests, pending, budgets, reporter, langSmith, cache, http } = parts;
  const stopping = new AbortController();
  return {
    stopSignal: stopping.signal,
    async stop() {
      const startedAt = performance.now();
      keepWarm.stop();
      model.stop();
      await requests.drain(FINISH_REQUESTS_MS);
      stopping.abort(errors.stopping());
      await requests.drain(ABORT_REQUESTS_MS);
      budgets?.stop();
      // Requests rarely need all of their time, so a slow receiver of telemetry gets the rest.
      const flushMs = STOP_MS - (performance.now() - startedAt);
      await Promise.all([
        pending.drain(DRAIN_WRITES_MS),
        delay(SEND_RESPONSES_MS),
        reporter?.stop(flushMs),
        langSmith?.stop(flushMs),
      ]);
      await Promise.allSettled([cache?.close(), http.close()]);
    },
  };
}
