/** The first stage of the performance test: sends the planned requests and records each result. */
import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { ask, type CacheMode, type Outcome } from './ask.ts';
import { isHopeless } from './failure.ts';
import type { Plan } from './options.ts';

/** A measured request. Times in seconds. */
export interface Sample extends Outcome {
  /** Start of the request, since the start of the test. */
  started: number;
  cache: CacheMode;
}

/** All measurements of a test. Times in seconds. */
export interface Run {
  /** Without the query, which may contain a key. */
  url: string;
  /** ISO 8601. */
  started_at: string;
  plan: Plan;
  /** The test was stopped early. */
  interrupted: boolean;
  duration: number;
  /** In the order of sending. */
  requests: Sample[];
}

/** The app to measure, and how to observe and stop the test. */
export interface Target {
  url: string;
  key: string | null;
  /** Ends the test. Requests in flight are aborted and not counted. */
  signal: AbortSignal;
  /** Called after each request with the completed fraction of the test, 0 to 1. */
  onSample: (sample: Sample, done: number) => void;
}

/**
 * Sends the planned requests. Failed requests are recorded. An abort sets `interrupted`, and so does the end of a test
 * in which everything fails.
 */
export async function measure(plan: Plan, target: Target): Promise<Run> {
  const hopeless = new AbortController();
  const signal = AbortSignal.any([target.signal, hopeless.signal]);
  const startedAt = performance.now();
  const elapsed = (): number => (performance.now() - startedAt) / 1000;
  const run: Run = {
    url: target.url.replace(/[?#].*$/s, ''),
    started_at: new Date().toISOString(),
    plan,
    interrupted: false,
    duration: 0,
    requests: [],
  };
  const modes: CacheMode[] = plan.test_cache ? ['no-cache', 'cached'] : ['no-store'];
  const session = plan.test_session ? randomUUID() : null;
  const clients = Math.min(plan.concurrency, plan.duration === null ? plan.requests : plan.concurrency);
  const failed = new Set<number>();
  const askOnce = async (client: number, cache: CacheMode): Promise<void> => {
    const started = elapsed();
    const newConversation = plan.test_session && plan.test_cache;
    const { question, stream } = plan;
    const { url, key } = target;
    const outcome = await ask({ url, key, question, stream, cache, session, newConversation }, signal);
    const sample: Sample = { started, cache, ...outcome };
    run.requests.push(sample);
    run.duration = elapsed();
    const planned = plan.requests * modes.length;
    target.onSample(sample, plan.duration ? run.duration / plan.duration : run.requests.length / planned);
    if (sample.error !== null) failed.add(client);
    if (isHopeless(run.requests, clients, failed.size)) hopeless.abort();
  };
  try {
    await inParallel(plan, modes, { elapsed, askOnce, signal });
  } catch (error) {
    if (!signal.aborted) throw error;
    run.interrupted = true;
  }
  run.requests.sort((a, b) => a.started - b.started);
  return run;
}

interface Asking {
  /** Seconds since the start. */
  elapsed: () => number;
  /** `client` is the number of the client. */
  askOnce: (client: number, cache: CacheMode) => Promise<void>;
  signal: AbortSignal;
}

async function inParallel(
  plan: Plan,
  modes: CacheMode[],
  { elapsed, askOnce, signal }: Asking,
): Promise<void> {
  let begun = 0;
  const remainingTime = (): number => (plan.duration ?? Number.POSITIVE_INFINITY) - elapsed();
  const hasMore = (): boolean => (plan.duration === null ? begun < plan.requests : remainingTime() > 0);
  const pause = (): Promise<void> => {
    const seconds = Math.max(0, Math.min(plan.delay, remainingTime()));
    return delay(1000 * seconds, undefined, { signal });
  };
  const worker = async (client: number): Promise<void> => {
    while (hasMore()) {
      begun++;
      for (const [index, mode] of modes.entries()) {
        if (index > 0) await pause();
        await askOnce(client, mode);
      }
      if (hasMore() && plan.delay > 0) await pause();
    }
  };
  await Promise.all(Array.from({ length: plan.concurrency }, (_, client) => worker(client)));
}
