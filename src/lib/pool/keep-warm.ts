/** Opens connections to the model before the first question and keeps them warm between questions. */
import type { HttpClient } from './http-client.ts';

/** With the jitter at most 35 s: idle connections are closed after 60 s. */
const INTERVAL_MS = 25_000;
/** So that instances do not all probe at the same time. */
const JITTER_MS = 10_000;

/** Keeps one connection to each endpoint warm while questions arrive. */
export interface KeepWarm {
  /** Call this for each question: it restarts the keep-warm period. */
  touch(): void;
  stop(): void;
}

/**
 * Opens a connection for each of `urls` in the background and probes it every 25 to 35 s, until no question has
 * arrived for `keepWarmMs` milliseconds. With 0 it does nothing. The timer does not keep the process alive.
 */
export function createKeepWarm(client: HttpClient, urls: URL[], keepWarmMs: number): KeepWarm {
  let lastQuestionAt = Date.now();
  let timer: NodeJS.Timeout | undefined;
  let probing = false;
  let stopped = keepWarmMs <= 0;

  function schedule(): void {
    if (stopped || probing || timer) return;
    const interval = INTERVAL_MS + Math.random() * JITTER_MS;
    timer = setTimeout(() => {
      timer = undefined;
      if (Date.now() - lastQuestionAt <= keepWarmMs) void probe();
    }, interval).unref();
  }

  async function probe(): Promise<void> {
    probing = true;
    await Promise.all(urls.map((url) => client.warm(url)));
    probing = false;
    schedule();
  }

  if (!stopped) void probe();

  return {
    touch() {
      lastQuestionAt = Date.now();
      schedule();
    },
    stop() {
      stopped = true;
      clearTimeout(timer);
    },
  };
}
