/** How this process ends: what is open is finished or refused, what was promised is written, then all is closed. */
import { setTimeout as delay } from 'node:timers/promises';
import type { AnswerCache } from '../cache/answer-cache.ts';
import { errors } from '../contract/errors.ts';
import type { HttpClient } from '../pool/http-client.ts';
import type { KeepWarm } from '../pool/keep-warm.ts';
import type { PendingWork } from '../runtime/pending-work.ts';
import type { Reporter } from '../telemetry/reporter.ts';

/** All of it; the Functions host kills the worker 5 s after it told it to stop. */
const STOP_MS = 3900;
const FINISH_REQUESTS_MS = 3000;
const END_REQUESTS_MS = 400;
const DRAIN_WRITES_MS = 400;
/** The worker exits right after us; the library still has to send what handlers have just answered. */
const SEND_ANSWERS_MS = 100;

/** What has to be ended, in the order in which it is. */
export interface ShutdownParts {
  keepWarm: KeepWarm;
  /** Requests being answered. */
  requests: PendingWork;
  /** Writes that no answer waits for. */
  pending: PendingWork;
  reporter: Reporter | null;
  cache: AnswerCache | null;
  http: HttpClient;
}

/** The stop, and the signal of its second phase. */
export interface Shutdown {
  /** Aborted, with the error for the caller, when what is still open must end. */
  stopSignal: AbortSignal;
  /**
   * Ends everything, in at most 4 s: open requests get 3 s to finish, then `stopping`; background writes are
   * drained; connections and the cache file are closed.
   */
  stop(): Promise<void>;
}

/** Makes the stop of this process. */
export function createShutdown(parts: ShutdownParts): Shutdown {
  const { keepWarm, requests, pending, reporter, cache, http } = parts;
  const stopping = new AbortController();
  return {
    stopSignal: stopping.signal,
    async stop() {
      const startedAt = performance.now();
      keepWarm.stop();
      await requests.drain(FINISH_REQUESTS_MS);
      stopping.abort(errors.stopping());
      await requests.drain(END_REQUESTS_MS);
      // Questions seldom take all of their time, and what they leave is for a receiver that is slow.
      const flushMs = STOP_MS - (performance.now() - startedAt);
      await Promise.all([pending.drain(DRAIN_WRITES_MS), delay(SEND_ANSWERS_MS), reporter?.stop(flushMs)]);
      await Promise.allSettled([cache?.close(), http.close()]);
    },
  };
}
