/** CPU per request: user and system time of the app's process, which includes the functions host. */
import { randomUUID } from 'node:crypto';
import type { HostProcess } from '../../dev/stack/host-process.ts';
import type { Arena } from '../harness/contestants.ts';
import type { Cost, Round } from '../harness/cost.ts';
import { type Body, load } from '../harness/load.ts';
import { cpuTime } from '../harness/process-usage.ts';

const CONNECTIONS = 8;
const REQUESTS = 1000;
const TOKENS = 200;
const TOKENS_TEXT = Array.from({ length: TOKENS }, (_, index) => `word${index}`).join(' ');

const askCapital: Body = () => ({ question: 'What is the capital of France?' });

/** A kind of question. `prepare` is not measured. */
interface Scenario {
  name: string;
  target: number;
  requests: number;
  prepare: (arena: Arena, app: HostProcess) => Promise<Body>;
}

const SCENARIOS: Scenario[] = [
  {
    name: 'CPU, cached, new session',
    target: 2,
    requests: REQUESTS,
    async prepare(_, app) {
      await load(app.url, 1, 1, askCapital);
      return askCapital;
    },
  },
  {
    name: 'CPU, cached, known session',
    target: 2.5,
    requests: REQUESTS,
    async prepare(_, app) {
      const session_ids = Array.from({ length: REQUESTS }, () => randomUUID());
      const ask =
        (question: string): Body =>
        (index) => ({ question, session_id: session_ids[index] });
      await load(app.url, CONNECTIONS, REQUESTS, ask('What is the capital of France?'));
      const body = ask('What about Spain?');
      // Fills the cache once: all sessions have the same history, so that the other sessions hit this answer.
      await load(app.url, 1, 1, (index) => ({ ...body(index), session_id: session_ids.pop() }));
      session_ids.push(randomUUID());
      return body;
    },
  },
  {
    name: 'CPU, uncached, model at 0 ms',
    target: 4,
    requests: REQUESTS,
    prepare: async () => () => ({ question: randomUUID() }),
  },
  {
    name: `CPU, streamed, ${TOKENS} tokens`,
    target: 8,
    requests: 500,
    async prepare({ emulator }) {
      await emulator.behave({ answers: { content: TOKENS_TEXT, count: 500 } });
      return () => ({ question: randomUUID(), stream: true });
    },
  },
];

/** In each round, measures the constant function and then the app in each scenario. The first round is a warm-up. */
export async function measureCpu(arena: Arena, rounds: number): Promise<Cost[]> {
  await arena.emulator.behave({});
  const [app, constant] = await Promise.all([arena.start('app'), arena.start('constant')]);
  const results = SCENARIOS.map(({ name, target }) => ({ name, target, rounds: [] as Round[] }));
  try {
    for (let round = -1; round < rounds; round++) {
      const baseline = await cpuPerRequest(constant, REQUESTS, () => ({ question: randomUUID() }));
      for (const [index, { prepare, requests }] of SCENARIOS.entries()) {
        await arena.emptyStorage();
        const body = await prepare(arena, app);
        const cost = await cpuPerRequest(app, requests, body);
        if (round >= 0) results[index]?.rounds.push({ app: cost, baseline });
      }
    }
  } finally {
    await Promise.all([app.stop(), constant.stop()]);
  }
  return results.map((result) => ({ ...result, baseline: 'constant function', unit: 'ms' }));
}

async function cpuPerRequest(host: HostProcess, requests: number, body: Body): Promise<number> {
  const pid = host.process.pid ?? 0;
  const before = cpuTime(pid);
  await load(host.url, CONNECTIONS, requests, body);
  return (cpuTime(pid) - before) / requests;
}
