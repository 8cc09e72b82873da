/** The app against an earlier version of itself: the figures before and after a change, measured by turns. */
import type { Arena } from '../harness/contestants.ts';
import type { Cost, Round } from '../harness/cost.ts';
import { startAndAsk } from './cold-start.ts';
import { cpuOfScenario, SCENARIOS } from './scenarios.ts';

const BASELINE = 'before';

/** Measures the cold start and the CPU of each kind of question. Which version comes first changes with each round. */
export async function measureVersions(arena: Arena, rounds: number): Promise<Cost[]> {
  await arena.emulator.behave({});
  const apps = { app: await arena.start('app'), baseline: await arena.start('before') };
  const costs = SCENARIOS.map(({ name }): Cost => ({
    name: `CPU, ${name}`,
    baseline: BASELINE,
    unit: 'ms',
    target: null,
    rounds: [],
  }));
  try {
    for (let round = -1; round < rounds; round++) {
      for (const [index, scenario] of SCENARIOS.entries()) {
        const measured: Round = { app: 0, baseline: 0 };
        for (const version of turnOf(round)) {
          measured[version] = await cpuOfScenario(arena, apps[version], scenario);
        }
        if (round >= 0) costs[index]?.rounds.push(measured);
      }
    }
  } finally {
    await Promise.all([apps.app.stop(), apps.baseline.stop()]);
  }
  return [...costs, await measureColdStarts(arena, 3 * rounds)];
}

async function measureColdStarts(arena: Arena, rounds: number): Promise<Cost> {
  const cost: Cost = { name: 'Cold start', baseline: BASELINE, unit: 'ms', target: null, rounds: [] };
  await arena.emulator.behave({});
  for (let round = -1; round < rounds; round++) {
    const measured: Round = { app: 0, baseline: 0 };
    for (const version of turnOf(round)) {
      measured[version] = (await startAndAsk(arena, version === 'app' ? 'app' : 'before')).time;
    }
    if (round >= 0) cost.rounds.push(measured);
  }
  return cost;
}

const turnOf = (round: number) =>
  round % 2 === 0 ? (['baseline', 'app'] as const) : (['app', 'baseline'] as const);
