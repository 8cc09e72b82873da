/**
 * What one instance holds before it refuses questions, and how it refuses them: questions arrive at 2, 5 and 10 times the
 * rate that the app can answer, whatever happens to those before.
 */
import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { summarize } from '../../dev/perf/statistics.ts';
import type { HostProcess } from '../../dev/stack/host-process.ts';
import type { Environment, PartResult } from '../harness/environment.ts';
import { Callers, type Reply, timeOf } from '../harness/load.ts';
import { watchMemory } from '../harness/process-usage.ts';
import { tableOf } from '../harness/results.ts';

/** Questions a second that this process sends at most: above it, it takes the CPU that the app needs. */
const MAX_RATE = 3000;
const WARM_UP_MS = 3000;
const PEAK_MS = 6000;
const OVERLOAD_MS = 8000;
/** Questions a second whose answer is cached, asked during the overload. */
const PROBE_RATE = 5;
/** After an overload, questions arrive at this share of the peak, so that a healthy app answers all of them. */
const RECOVERY = { share: 0.9, ms: 7000, windowMs: 500, recovered: 0.8 };
const SETTLE_MS = 20_000;
/** More would need more sockets than a process usually has. */
const UNLIMITED = 4000;
/** More than twice the default of MODEL_MAX_CONCURRENCY, opened within 6 s; an answer takes 15 s. */
const STREAMS = { count: 1100, perSecond: 200, tokens: 60, tokenMs: 250 };

/** What limits the instance. */
interface Scenario {
  name: string;
  modelMs: number;
  env?: Record<string, string>;
  /** Callers of the closed load that finds the peak. */
  callers: number;
  /** The most questions that the app gets at a time. */
  maxOpen: number;
}

const SCENARIOS: Scenario[] = [
  {
    name: 'by the model: 500 ms, `MODEL_MAX_CONCURRENCY=10`',
    modelMs: 500,
    env: { MODEL_MAX_CONCURRENCY: '10' },
    callers: 15,
    maxOpen: UNLIMITED,
  },
  // `httpConcurrency` of the deployment: Flex Consumption keeps further requests away from the instance.
  { name: 'by the CPU, at most 100 requests at a time', modelMs: 0, callers: 64, maxOpen: 100 },
  { name: 'by the CPU, with nothing in front', modelMs: 0, callers: 64, maxOpen: UNLIMITED },
];

/** A new question in a session of its own, whose history has to be looked up. */
const newQuestion = () => ({ question: randomUUID(), session_id: randomUUID() });
const cachedQuestion = () => ({ question: 'What is the capital of France?' });

/** Measures each scenario, then how many streams are open at once. There are no rounds. */
export async function measureLimits(environment: Environment, rounds: number): Promise<PartResult> {
  const rows: Record<string, string>[] = [];
  // With one round, for a try, only the first scenario and the first overload.
  for (const scenario of rounds === 1 ? SCENARIOS.slice(0, 1) : SCENARIOS) {
    rows.push(...(await measureOverload(environment, scenario, rounds === 1 ? [2] : [2, 5, 10])));
    await environment.stopAll();
  }
  return { tables: { overload: tableOf(rows), streams: tableOf([await measureStreams(environment)]) } };
}

async function measureOverload(
  environment: Environment,
  { name, modelMs, env, callers: count, maxOpen }: Scenario,
  factors: number[],
): Promise<Record<string, string>[]> {
  await environment.behave({ latencyMs: modelMs });
  const host = await environment.startHost('app', env);
  const callers = environment.own(new Callers(host, maxOpen), (each) => each.close());
  await callers.ask(cachedQuestion());
  const occupy = (ms: number): Promise<Reply[]> => {
    const end = performance.now() + ms;
    return callers.whileTrue(() => performance.now() < end, count, newQuestion);
  };
  await occupy(WARM_UP_MS);
  const answers = (await occupy(PEAK_MS)).filter(isAnswer);
  const peak = answers.length / (PEAK_MS / 1000);
  const rows: Record<string, string>[] = [];
  for (const factor of factors)
    rows.push({
      Limited: `${name}; peak ${peak.toFixed(0)}/s`,
      Load: `${factor} times`,
      ...(await overload(callers, host, { peak, factor })),
    });
  return rows;
}

async function overload(
  callers: Callers,
  host: HostProcess,
  { peak, factor }: { peak: number; factor: number },
): Promise<Record<string, string>> {
  const memory = watchMemory(host.process.pid ?? 0);
  const startedAt = performance.now();
  const [load, probes] = await Promise.all([
    callers.offer(Math.min(MAX_RATE, factor * peak), OVERLOAD_MS, newQuestion),
    callers.offer(PROBE_RATE, OVERLOAD_MS, cachedQuestion),
  ]);
  const endedAt = performance.now();
  const after = await callers.offer(RECOVERY.share * peak, RECOVERY.ms, newQuestion);
  const open = await callers.settle(SETTLE_MS);
  const answers = load.replies.filter(isAnswer);
  const refused = load.replies.filter((reply) => !isAnswer(reply));
  const inTime = answers.filter((reply) => reply.endedAt <= endedAt).length;
  const others = [load, probes, after].flatMap(({ replies }) => replies.filter(isUndocumented));
  const recoveryMs = recoveryOf(after.replies, endedAt, RECOVERY.recovered * peak);
  return {
    'Answers, share of the peak': `${((100 * inTime) / ((endedAt - startedAt) / 1000) / peak).toFixed(0)} %`,
    'Answer p50, p99': timesOf(answers),
    Refused: countNames(refused) || 'none',
    'Refusal p50, p99': timesOf(refused),
    'Undocumented, without a reply': String(open + others.length),
    'Cached, answered': `${probes.replies.filter(isAnswer).length} of ${probes.sent}`,
    Memory: megabytes(memory.stop()),
    '80 % of the peak again after':
      recoveryMs === null ? 'not within 7 s' : `${(recoveryMs / 1000).toFixed(1)} s`,
  };
}

/** Opens more streams than the default settings allow. */
async function measureStreams(environment: Environment): Promise<Record<string, string>> {
  const { count, perSecond, tokens, tokenMs } = STREAMS;
  const content = Array.from({ length: tokens }, (_, index) => `word${index}`).join(' ');
  const host = await environment.startHost('app');
  const callers = environment.own(new Callers(host, count), (each) => each.close());
  let [open, most] = [0, 0];
  const stream = async (): Promise<Reply> => {
    let isOpen = false;
    const reply = await callers.ask({ question: randomUUID(), stream: true }, (text) => {
      if (isOpen || !text.includes('event: token')) return;
      isOpen = true;
      most = Math.max(most, ++open);
    });
    if (isOpen) open--;
    return reply;
  };
  await environment.behave({});
  await Promise.all(Array.from({ length: 100 }, stream));
  await environment.behave({ tokenDelayMs: tokenMs, answers: { content, count } });
  const memory = watchMemory(host.process.pid ?? 0);
  most = 0;
  const all: Promise<Reply>[] = [];
  for (let index = 0; index < count; index++) {
    all.push(stream());
    if (index % 10 === 9) await delay((1000 * 10) / perSecond);
  }
  const replies = await Promise.all(all);
  const completed = replies.filter(({ text }) => text.includes('event: done'));
  const refused = replies.filter((reply) => !isAnswer(reply));
  return {
    'Streams asked': String(count),
    'Open at once': String(most),
    Completed: String(completed.length),
    Refused: countNames(refused) || 'none',
    'Refusal p50, p99': timesOf(refused),
    Broken: String(count - completed.length - refused.length),
    Memory: megabytes(memory.stop()),
  };
}

const isAnswer = ({ status }: Reply): boolean => status === 200;

/** Refusals must be 429 or 503 with Retry-After. */
const isUndocumented = ({ status, headers }: Reply): boolean =>
  status !== 200 && !((status === 429 || status === 503) && headers['retry-after'] !== undefined);

const megabytes = (figure: number): string => `${figure.toFixed(0)} MB`;

function timesOf(replies: Reply[]): string {
  const times = summarize(replies.map(timeOf));
  return times ? `${times.p50.toFixed(0)} ms, ${(times.p99 ?? times.max).toFixed(0)} ms` : '';
}

const nameOf = ({ status, text }: Reply): string =>
  status === 0 ? text : `${status} \`${/"code":\s*"(\w+)"/.exec(text)?.[1] ?? 'none'}\``;

/** Counts by status and error code. */
const countNames = (replies: Reply[]): string =>
  Object.entries(Object.groupBy(replies, nameOf))
    .map(([name, some = []]) => `${some.length} x ${name}`)
    .join(', ');

/** Milliseconds from `since` to the end of the first half second in which `rate` questions a second were answered. */
function recoveryOf(replies: Reply[], since: number, rate: number): number | null {
  const { ms, windowMs } = RECOVERY;
  const ends = replies.filter(isAnswer).map(({ endedAt }) => endedAt - since);
  for (let end = windowMs; end <= ms; end += 50) {
    const count = ends.filter((each) => each > end - windowMs && each <= end).length;
    if (count >= (rate * windowMs) / 1000) return end;
  }
  return null;
}
