/** Answers whose tokens come one by one: their CPU, and how much later than the model sent it a token leaves the app. */
import { randomUUID } from 'node:crypto';
import { SENT_AT } from '../../dev/azure-openai-emulator/exchange.ts';
import type { Cost } from '../../dev/figures/cost.ts';
import type { Environment } from '../harness/environment.ts';
import { load } from '../harness/load.ts';
import { cpuTime } from '../harness/process-usage.ts';
import { byTurns, costOf } from '../harness/turns.ts';
import type { WorkerProcess } from '../harness/worker-process.ts';
import { CONNECTIONS, TOKENS } from './scenarios.ts';

/** Milliseconds between two tokens, and the answers of a round, which take about 6 s and 19 s. */
const PACES = [
  { tokenDelayMs: 3, answers: 64 },
  { tokenDelayMs: 30, answers: 24 },
];
const CONTENT = Array.from({ length: TOKENS }, () => SENT_AT).join(' ');
const streamed = () => ({ question: randomUUID(), stream: true });
/** What is measured: CPU of an answer, and percentiles of the delay of its tokens, all in milliseconds. */
const FIGURES = { cpu: 'CPU, streamed', p50: 'Delay of a token, p50', p99: 'Delay of a token, p99' };

type Measured = Record<keyof typeof FIGURES, number>;

/** Measures the app by turns with a function that streams constants, or with the version before. */
export async function measureSlowStreams(environment: Environment, rounds: number): Promise<Cost[]> {
  const subject = environment.comparesVersions ? 'before' : 'constant';
  const costs: Cost[] = [];
  for (const { tokenDelayMs, answers } of PACES) {
    const app = await environment.start('app');
    const other = await environment.start(subject, { TOKEN_DELAY_MS: String(tokenDelayMs) });
    const measure = async (worker: WorkerProcess): Promise<Measured> => {
      await environment.emptyStorage();
      await environment.behave({ tokenDelayMs, answers: { content: CONTENT, count: answers } });
      const pid = worker.process.pid ?? 0;
      const before = cpuTime(pid);
      const { delays } = await load(worker, CONNECTIONS, answers, streamed);
      const cpu = (cpuTime(pid) - before) / answers;
      return { cpu, p50: delays?.p50 ?? Number.NaN, p99: delays?.p99 ?? Number.NaN };
    };
    const all = await byTurns(rounds, { app: () => measure(app), other: () => measure(other) });
    const baseline = subject === 'before' ? subject : 'constants streamed at this pace';
    for (const figure of ['cpu', 'p50', 'p99'] as const)
      costs.push(
        costOf(all, {
          name: `${FIGURES[figure]}, ${TOKENS} tokens ${tokenDelayMs} ms apart`,
          baseline,
          sides: ['app', 'other'],
          of: (measured) => measured[figure],
        }),
      );
    await Promise.all([app.stop(), other.stop()]);
  }
  return costs;
}
