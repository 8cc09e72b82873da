/** Answers whose tokens come one by one: their CPU, and how much later than the model sent it a token leaves the app. */
import { randomUUID } from 'node:crypto';
import { SENT_AT } from '../../dev/azure-openai-emulator/exchange.ts';
import type { Arena } from '../harness/contestants.ts';
import { type Cost, type Round, turnOf } from '../harness/cost.ts';
import { load } from '../harness/load.ts';
import { cpuTime } from '../harness/process-usage.ts';
import type { WorkerProcess } from '../harness/worker-process.ts';
import { CONNECTIONS, TOKENS } from './scenarios.ts';

/** Milliseconds between two tokens, and the answers of a round, which take about 6 s and 19 s. */
const PACES = [
  { tokenDelayMs: 3, answers: 64 },
  { tokenDelayMs: 30, answers: 24 },
];
const streamed = () => ({ question: randomUUID(), stream: true });
const CONTENT = Array.from({ length: TOKENS }, () => SENT_AT).join(' ');
/** What is measured: CPU of an answer, and percentiles of the delay of its tokens, all in milliseconds. */
const FIGURES = { cpu: 'CPU, streamed', p50: 'Delay of a token, p50', p99: 'Delay of a token, p99' };

type Pace = (typeof PACES)[number];
type Measured = Record<keyof typeof FIGURES, number>;

/** Measures the app by turns with its baseline: a function that streams constants, or an earlier version of the app. */
export async function measureSlowStreams(
  arena: Arena,
  rounds: number,
  baseline: 'constant-stream' | 'before' = 'constant-stream',
): Promise<Cost[]> {
  const costs: Cost[] = [];
  for (const pace of PACES) {
    const workers = {
      app: await arena.start('app'),
      baseline: await arena.start(baseline, { TOKEN_DELAY_MS: String(pace.tokenDelayMs) }),
    };
    try {
      const measured = await measureRounds(arena, workers, { pace, rounds });
      for (const figure of ['cpu', 'p50', 'p99'] as const)
        costs.push({
          name: `${FIGURES[figure]}, ${TOKENS} tokens ${pace.tokenDelayMs} ms apart`,
          baseline: baseline === 'before' ? baseline : 'constants streamed at this pace',
          unit: 'ms',
          target: null,
          rounds: measured.map((each) => ({ app: each.app[figure], baseline: each.baseline[figure] })),
        });
    } finally {
      await Promise.all([workers.app.stop(), workers.baseline.stop()]);
    }
  }
  return costs;
}

/** The first round is a warm-up. */
async function measureRounds(
  arena: Arena,
  workers: Record<keyof Round, WorkerProcess>,
  { pace, rounds }: { pace: Pace; rounds: number },
): Promise<Record<keyof Round, Measured>[]> {
  const all: Record<keyof Round, Measured>[] = [];
  for (let round = -1; round < rounds; round++) {
    const found: Partial<Record<keyof Round, Measured>> = {};
    for (const side of turnOf(round)) found[side] = await measure(arena, workers[side], pace);
    if (round >= 0) all.push(found as Record<keyof Round, Measured>);
  }
  return all;
}

async function measure(arena: Arena, worker: WorkerProcess, pace: Pace): Promise<Measured> {
  const { tokenDelayMs, answers } = pace;
  await arena.emptyStorage();
  await arena.emulator.behave({ tokenDelayMs, answers: { content: CONTENT, count: answers } });
  const pid = worker.process.pid ?? 0;
  const before = cpuTime(pid);
  const { delays } = await load(worker, CONNECTIONS, answers, streamed);
  const cpu = (cpuTime(pid) - before) / answers;
  return { cpu, p50: delays?.p50 ?? Number.NaN, p99: delays?.p99 ?? Number.NaN };
}
