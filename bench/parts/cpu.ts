/** CPU per request, as a ratio to the constant function and in units of one raw request. */
import type { Arena } from '../harness/contestants.ts';
import type { Cost, Round } from '../harness/cost.ts';
import { cpuPerRequest, newQuestion, REQUESTS, SCENARIOS } from './scenarios.ts';

const CONSTANT = 'constant function';

/**
 * In each round, measures the constant function, one raw request and the app in each scenario. The first round is a
 * warm-up. Gives the ratios to the constant function, and what the app adds to it in units of one raw request.
 */
export async function measureCpu(
  arena: Arena,
  rounds: number,
  contestant: 'app' | 'plain' = 'app',
): Promise<Cost[]> {
  await arena.emulator.behave({});
  const [app, constant, raw] = [
    await arena.start(contestant),
    await arena.start('constant'),
    await arena.start('raw-request'),
  ];
  const results = SCENARIOS.map(({ name, target }) => ({
    name,
    target,
    rounds: [] as Round[],
    added: [] as Round[],
  }));
  try {
    for (let round = -1; round < rounds; round++) {
      const baseline = await cpuPerRequest(constant, REQUESTS, newQuestion);
      const unit = (await cpuPerRequest(raw, REQUESTS, newQuestion)) - baseline;
      for (const [index, { prepare, requests }] of SCENARIOS.entries()) {
        await arena.emptyStorage();
        const body = await prepare(arena, app);
        const cost = await cpuPerRequest(app, requests, body);
        if (round < 0) continue;
        results[index]?.rounds.push({ app: cost, baseline });
        results[index]?.added.push({ app: cost - baseline, baseline: unit });
      }
    }
  } finally {
    await Promise.all([app, constant, raw].map((worker) => worker.stop()));
  }
  const isApp = contestant === 'app';
  const ratios = results.map(({ name, target, rounds: all }): Cost => ({
    name: isApp ? `CPU, ${name}` : `CPU without the libraries, ${name}`,
    baseline: CONSTANT,
    unit: 'ms',
    target: isApp ? target : null,
    rounds: all,
  }));
  if (!isApp) return ratios;
  const units = results.map(({ name, added }): Cost => ({
    name: `Added CPU, ${name}`,
    baseline: 'one raw HTTP/2 request',
    unit: 'ms',
    target: null,
    rounds: added,
  }));
  return [...ratios, ...units];
}
