/** CPU time of a question in two versions of the app, in alternation. */
import { randomUUID } from 'node:crypto';
import type { Arena } from '../harness/contestants.ts';
import type { Round } from '../harness/cost.ts';
import { type Body, load } from '../harness/load.ts';
import { cpuTime } from '../harness/process-usage.ts';

const CONNECTIONS = 8;
const REQUESTS = 600;
const ROUNDS = 9;

const KINDS: Record<string, Body> = {
  'CPU, cached, new session': () => ({ question: 'What is the capital of France?' }),
  'CPU, uncached, known session': () => ({ question: randomUUID(), session_id: randomUUID() }),
};

/** A kind of question; `app` and `baseline` (the other version) in milliseconds of CPU. */
export interface QuestionCost {
  name: string;
  rounds: Round[];
}

/** Compares `app` with `other-app`, with a model without latency. The first round is a warm-up. */
export async function measureQuestionCost(arena: Arena, signal: AbortSignal): Promise<QuestionCost[]> {
  await arena.emulator.behave({});
  const [app, other] = await Promise.all([arena.start('app'), arena.start('other-app')]);
  const costs = Object.entries(KINDS).map(([name, body]) => ({ name, body, rounds: [] as Round[] }));
  const cpuOf = async ({ url, process }: typeof app, body: Body): Promise<number> => {
    const before = cpuTime(process.pid ?? 0);
    await load(url, CONNECTIONS, REQUESTS, body);
    return (cpuTime(process.pid ?? 0) - before) / REQUESTS;
  };
  try {
    for (let round = -1; round < ROUNDS && !signal.aborted; round++) {
      for (const { body, rounds } of costs) {
        const baseline = await cpuOf(other, body);
        const measured = { app: await cpuOf(app, body), baseline };
        if (round >= 0) rounds.push(measured);
      }
    }
  } finally {
    await Promise.all([app.stop(), other.stop()]);
  }
  return costs.map(({ name, rounds }) => ({ name, rounds }));
}
