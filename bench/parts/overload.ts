/** Goodput and refusals of one instance under more questions than it can answer. */
import { randomUUID } from 'node:crypto';
import { type Summary, summarize } from '../../dev/perf/statistics.ts';
import type { HostProcess } from '../../dev/stack/host-process.ts';
import type { Arena } from '../harness/contestants.ts';
import { LoadGenerator, type Reply } from '../harness/open-load.ts';
import { watchMemory } from '../harness/process-usage.ts';

/** Questions a second that this process sends at most: above it, it takes the CPU that the app needs. */
const MAX_RATE = 3000;
const WARM_UP_MS = 3000;
const PEAK_MS = 6000;
/** After an overload, questions arrive at this share of the peak, so that a healthy app answers all of them. */
const RECOVERY_SHARE = 0.9;
const RECOVERY_MS = 7000;
const SETTLE_MS = 20_000;
/** Questions a second whose answer is cached, asked during the overload. */
const PROBE_RATE = 5;
const FACTORS = [2, 5, 10];

/** What limits the instance. */
export interface Scenario {
  name: string;
  modelMs: number;
  /** Answers a second that MODEL_MAX_CONCURRENCY allows; null when it is not the limit. */
  modelRate: number | null;
  env: Record<string, string>;
  /** Callers of the closed load that finds the peak. */
  callers: number;
  /** The most questions that the app gets at a time. */
  maxOpen: number;
}

/** What happened at one rate of arrivals. Rates in questions a second, times in milliseconds, memory in MB. */
export interface Level {
  factor: number;
  /** The rate that was really sent. */
  offered: number;
  unsent: number;
  /** The longest time by which the load generator was late. */
  lateMs: number;
  goodput: number;
  answerTimes: Summary | null;
  /** Answers that are not stored. */
  unstored: number;
  /** Number of replies that are not answers, by status and code. */
  refusals: Record<string, number>;
  /** Refusals that are not 429 or 503 with Retry-After, and questions without a reply. */
  undocumented: number;
  refusalTimes: Summary | null;
  peakMb: number;
  /** Answered questions of those whose answer is cached. */
  probes: { asked: number; answered: number };
  /** Until 80 % of the peak is answered again; null when that took longer than {@link RECOVERY_MS}. */
  recoveryMs: number | null;
}

/** The result of a scenario. */
export interface Overload {
  scenario: string;
  modelRate: number | null;
  /** Answers a second with {@link Scenario.callers} callers, and the peak memory then. */
  peak: { goodput: number; peakMb: number; p50: number };
  levels: Level[];
}

/** A new question in a session of its own, whose history has to be looked up. */
const newQuestion = () => ({ question: randomUUID(), session_id: randomUUID() });
const cachedQuestion = () => ({ question: 'What is the capital of France?' });

/** Starts the app, finds its peak, then offers multiples of it for `seconds` each. `signal` ends it early. */
export async function measureOverload(
  arena: Arena,
  scenario: Scenario,
  {
    seconds,
    signal,
    onProgress,
  }: { seconds: number; signal: AbortSignal; onProgress: (text: string) => void },
): Promise<Overload> {
  await arena.emulator.behave({ latencyMs: scenario.modelMs });
  const host = await arena.startHost('app', scenario.env);
  const generator = new LoadGenerator(host.url, scenario.maxOpen);
  try {
    await generator.ask(cachedQuestion());
    const occupy = (durationMs: number) =>
      generator.occupy(scenario.callers, { durationMs, body: newQuestion, signal });
    await occupy(WARM_UP_MS);
    const memory = watchMemory(host.process.pid ?? 0);
    const answered = (await occupy(PEAK_MS)).filter(({ status }) => status === 200);
    const peak = {
      goodput: answered.length / (PEAK_MS / 1000),
      peakMb: memory.stop(),
      p50: summarize(answered.map(timeOf))?.p50 ?? 0,
    };
    onProgress(`${scenario.name}: peak ${peak.goodput.toFixed(0)} answers/s`);
    const levels: Level[] = [];
    for (const factor of FACTORS) {
      if (signal.aborted) break;
      levels.push(await overload(generator, host, { peak: peak.goodput, factor, seconds, signal }));
      onProgress(`${scenario.name}: ${factor}x done`);
    }
    return { scenario: scenario.name, modelRate: scenario.modelRate, peak, levels };
  } finally {
    await generator.close();
    await host.stop();
    await arena.emptyStorage().catch(() => {});
  }
}

interface Step {
  peak: number;
  factor: number;
  seconds: number;
  signal: AbortSignal;
}

async function overload(generator: LoadGenerator, host: HostProcess, step: Step): Promise<Level> {
  const { peak, factor, signal } = step;
  const durationMs = 1000 * step.seconds;
  const rate = Math.min(MAX_RATE, factor * peak);
  const memory = watchMemory(host.process.pid ?? 0);
  const startedAt = performance.now();
  const [load, probes] = await Promise.all([
    generator.offer({ rate, durationMs, body: newQuestion, signal }),
    generator.offer({ rate: PROBE_RATE, durationMs, body: cachedQuestion, signal }),
  ]);
  const endedAt = performance.now();
  const after = await generator.offer({
    rate: RECOVERY_SHARE * peak,
    durationMs: RECOVERY_MS,
    body: newQuestion,
    signal,
  });
  const open = await generator.settle(SETTLE_MS);
  const answers = load.replies.filter(({ status }) => status === 200);
  const refused = load.replies.filter(({ status }) => status !== 200);
  const inTime = answers.filter((reply) => reply.endedAt <= endedAt).length;
  const everything = [...load.replies, ...probes.replies, ...after.replies];
  return {
    factor,
    offered: load.sent / ((endedAt - startedAt) / 1000),
    unsent: load.unsent,
    lateMs: load.lateMs,
    goodput: inTime / ((endedAt - startedAt) / 1000),
    answerTimes: summarize(answers.map(timeOf)),
    unstored: answers.filter(({ isStored }) => !isStored).length,
    refusals: countByName(refused),
    undocumented: open + everything.filter(isUndocumented).length,
    refusalTimes: summarize(refused.map(timeOf)),
    peakMb: memory.stop(),
    probes: {
      asked: probes.sent,
      answered: probes.replies.filter(({ status }) => status === 200).length,
    },
    recoveryMs: recoveryOf(after.replies, endedAt, 0.8 * peak),
  };
}

const timeOf = ({ sentAt, endedAt }: Reply): number => endedAt - sentAt;

const isUndocumented = ({ status, hasRetryAfter }: Reply): boolean =>
  status !== 200 && !((status === 429 || status === 503) && hasRetryAfter);

function countByName(refused: Reply[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { status, code } of refused) {
    const name = `${status} ${code}`;
    counts[name] = (counts[name] ?? 0) + 1;
  }
  return counts;
}

/** Milliseconds from `since` to the end of the first half second in which `rate` questions a second were answered. */
function recoveryOf(replies: Reply[], since: number, rate: number): number | null {
  const WINDOW_MS = 500;
  const ends = replies.filter(({ status }) => status === 200).map(({ endedAt }) => endedAt - since);
  for (let end = WINDOW_MS; end <= RECOVERY_MS; end += 50) {
    const count = ends.filter((each) => each > end - WINDOW_MS && each <= end).length;
    if (count >= (rate * WINDOW_MS) / 1000) return end;
  }
  return null;
}
