/** CPU per request of other ways to answer the same question, without chat history and cache. */
import type { Arena } from '../harness/contestants.ts';
import type { Cost, Round } from '../harness/cost.ts';
import type { WorkerProcess } from '../harness/worker-process.ts';
import { cpuDuring } from '../harness/process-usage.ts';
import { ASKED, CONNECTIONS, cpuPerRequest, newQuestion, REQUESTS } from './scenarios.ts';

/** In each round, measures the app and others that answer the same question without history and cache. */
export async function measureStrangers(arena: Arena, rounds: number): Promise<Cost[]> {
  await arena.emulator.behave({});
  const app = await arena.start('app');
  const gateway = await arena.startGateway();
  const perRequest = await arena.start('client-per-request');
  const closing = await arena.start('no-keep-alive');
  const strangers = [
    { baseline: 'a new client for each question', target: null, measure: () => cpuOf(perRequest) },
    { baseline: 'HTTP/1.1 without keep-alive', target: null, measure: () => cpuOf(closing) },
    ...(gateway
      ? [
          {
            baseline: "Portkey's gateway, without history",
            target: 1.3,
            measure: () => cpuDuring(gateway.pid, REQUESTS, () => gateway.load(CONNECTIONS, REQUESTS)),
          },
        ]
      : []),
  ].map((each) => ({ ...each, rounds: [] as Round[] }));
  try {
    for (let round = -1; round < rounds; round++) {
      await arena.emptyStorage();
      const ours = await cpuOf(app);
      for (const stranger of strangers) {
        const theirs = await stranger.measure();
        if (round >= 0) stranger.rounds.push({ app: ours, baseline: theirs });
      }
    }
  } finally {
    await Promise.all([app, perRequest, closing, ...(gateway ? [gateway] : [])].map((each) => each.stop()));
  }
  return strangers.map(({ baseline, target, rounds: all }) => ({
    name: `CPU, ${ASKED}`,
    baseline,
    unit: 'ms',
    target,
    rounds: all,
  }));
}

const cpuOf = (worker: WorkerProcess): Promise<number> => cpuPerRequest(worker, REQUESTS, newQuestion);
