/** Opens the connections to the model before the first question, and keeps them warm between questions. */
import type { HttpClient } from './http-client.ts';

/** Well below the 60 s after which an idle connection is closed; spread, so that instances do not knock together. */
const INTERVAL_MS = 25_000;
const JITTER_MS = 10_000;

/** Keeps one connection to each endpoint warm for as long as questions come. */
export interface KeepWarm {
  /** Says that a question arrived: they are kept warm for another while. */
  touch(): void;
  stop(): void;
}

/**
 * Opens a connection to each of `origins` at once, in the background, and uses it now and then until no question has
 * arrived for `keepWarmMs` milliseconds. With 0 it does nothing. The timer never keeps the process alive.
 */
export function createKeepWarm(client: HttpClient, origins: string[], keepWarmMs: number): KeepWarm {
  let lastQuestion = Date.now();
  let timer: NodeJS.Timeout | undefined;
  let probing = false;
  let stopped = keepWarmMs <= 0;

  function schedule(): void {
    if (stopped || probing || timer) return;
    const interval = INTERVAL_MS + Math.random() * JITTER_MS;
    timer = setTimeout(() => {
      timer = undefined;
      if (Date.now() - lastQuestion <= keepWarmMs) void probe();
    }, interval).unref();
  }

  async function probe(): Promise<void> {
    probing = true;
    await Promise.all(origins.map((origin) => client.warm(origin)));
    probing = false;
    schedule();
  }

  if (!stopped) void probe();

  return {
    touch() {
      lastQuestion = Date.now();
      schedule();
    },
    stop() {
      stopped = true;
      clearTimeout(timer);
    },
  };
}
