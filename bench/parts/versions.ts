/** The app against an earlier version of itself: the figures before and after a change, measured by turns. */
import type { Arena, Part } from '../harness/contestants.ts';
import { type Cost, type Round, turnOf } from '../harness/cost.ts';
import { startAndAsk } from './cold-start.ts';
import { cpuOfScenario, SCENARIOS } from './scenarios.ts';
import { measureSlowStreams } from './slow-streams.ts';

const BASELINE = 'before';

/** What is compared, with the default number of rounds. */
export const VERSION_PARTS: Record<string, Part> = {
  cpu: { measure: measureCpu, rounds: 7 },
  'slow-streams': { measure: (arena, rounds) => measureSlowStreams(arena, rounds, BASELINE), rounds: 7 },
  'cold-start': { measure: measureColdStarts, rounds: 21 },
};

/** Measures the CPU of each kind of question. */
async function measureCpu(arena: Arena, rounds: number): Promise<Cost[]> {
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
  return costs;
}

async function measureColdStarts(arena: Arena, rounds: number): Promise<Cost[]> {
  const cost: Cost = { name: 'Cold start', baseline: BASELINE, unit: 'ms', target: null, rounds: [] };
  await arena.emulator.behave({});
  for (let round = -1; round < rounds; round++) {
    const measured: Round = { app: 0, baseline: 0 };
    for (const version of turnOf(round)) {
      measured[version] = (await startAndAsk(arena, version === 'app' ? 'app' : BASELINE)).time;
    }
    if (round >= 0) cost.rounds.push(measured);
  }
  return [cost];
}
