/** The first stage of the performance test: asks as planned, and records each request. */
import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { ask, type CacheMode, type Outcome } from './ask.ts';
import type { Plan } from './options.ts';

/** One request. Times in seconds. */
export interface Sample extends Outcome {
  /** Since the test began. */
  started: number;
  cache: CacheMode;
}

/** What was done and measured. Times in seconds. */
export interface Run {
  /** Without the query, where a key may be. */
  url: string;
  /** ISO 8601. */
  started_at: string;
  plan: Plan;
  /** Stopped before its end. */
  interrupted: boolean;
  duration: number;
  /** In the order in which they were sent. */
  requests: Sample[];
}

/** Where and with what to ask, and who wants to know. */
export interface Target {
  url: string;
  key: string | null;
  /** Ends the test; requests under way are given up and not counted. */
  signal: AbortSignal;
  /** Called after each request with the part of the test that is done, 0 to 1. */
  onSample: (sample: Sample, done: number) => void;
}

/** Carries out the plan. A request that fails is recorded; nothing is thrown. */
export async function measure(plan: Plan, target: Target): Promise<Run> {
  const { signal } = target;
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
  const askOnce = async (cache: CacheMode): Promise<void> => {
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
  };
  try {
    await inParallel(plan, modes, elapsed, askOnce, signal);
  } catch (error) {
    if (!signal.aborted) throw error;
    run.interrupted = true;
  }
  run.requests.sort((a, b) => a.started - b.started);
  return run;
}

async function inParallel(
  plan: Plan,
  modes: CacheMode[],
  elapsed: () => number,
  askOnce: (cache: CacheMode) => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  let begun = 0;
  const timeLeft = (): number => (plan.duration ?? Number.POSITIVE_INFINITY) - elapsed();
  const goesOn = (): boolean => (plan.duration === null ? begun < plan.requests : timeLeft() > 0);
  const pause = (): Promise<void> => {
    const seconds = Math.max(0, Math.min(plan.delay, timeLeft()));
    return delay(1000 * seconds, undefined, { signal });
  };
  const worker = async (): Promise<void> => {
    while (goesOn()) {
      begun++;
      for (const [index, mode] of modes.entries()) {
        if (index > 0) await pause();
        await askOnce(mode);
      }
      if (goesOn() && plan.delay > 0) await pause();
    }
  };
  await Promise.all(Array.from({ length: plan.concurrency }, worker));
}
