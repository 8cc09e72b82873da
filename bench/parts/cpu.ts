/** CPU per request, as a ratio to the constant function and in units of one raw request. */
import type { Arena } from '../harness/contestants.ts';
import type { Cost, Round } from '../harness/cost.ts';
import type { WorkerProcess } from '../harness/worker-process.ts';
import { cpuOfScenario, cpuPerRequest, newQuestion, REQUESTS, SCENARIOS } from './scenarios.ts';

const CONSTANT = 'constant function';

/**
 * In each round, measures the constant function, one raw request and the app in each scenario. Gives the ratios to the
 * constant function, and what the app adds to it in units of one raw request.
 */
export async function measureCpu(arena: Arena, rounds: number): Promise<Cost[]> {
  const raw = await arena.start('raw-request');
  const perRaw: number[] = [];
  const onRound = async () => void perRaw.push(await cpuPerRequest(raw, REQUESTS, newQuestion));
  let results: Round[][];
  try {
    results = await measureScenarios(arena, await arena.start('app'), { rounds, onRound });
  } finally {
    await raw.stop();
  }
  // The first round is a warm-up.
  const units = perRaw.slice(1);
  const ratios = SCENARIOS.map(({ name, target }, index): Cost => ({
    name: `CPU, ${name}`,
    baseline: CONSTANT,
    unit: 'ms',
    target,
    rounds: results[index] ?? [],
  }));
  const added = ratios.map(({ name, rounds: all }): Cost => ({
    name: `Added ${name}`,
    baseline: 'one raw HTTP/2 request',
    unit: 'ms',
    target: null,
    rounds: all.map(({ app, baseline }, round) => ({
      app: app - baseline,
      baseline: (units[round] ?? Number.NaN) - baseline,
    })),
  }));
  return [...ratios, ...added];
}

/** The same ratios for the app without the libraries. */
export async function measurePlain(arena: Arena, rounds: number): Promise<Cost[]> {
  const results = await measureScenarios(arena, await arena.start('plain'), { rounds });
  return SCENARIOS.map(({ name }, index): Cost => ({
    name: `CPU without the libraries, ${name}`,
    baseline: CONSTANT,
    unit: 'ms',
    target: null,
    rounds: results[index] ?? [],
  }));
}

/** Measures the constant function and `app` in each scenario, after a warm-up round, and stops both. */
async function measureScenarios(
  arena: Arena,
  app: WorkerProcess,
  { rounds, onRound }: { rounds: number; onRound?: () => Promise<void> },
): Promise<Round[][]> {
  await arena.emulator.behave({});
  const constant = await arena.start('constant');
  const results = SCENARIOS.map((): Round[] => []);
  try {
    for (let round = -1; round < rounds; round++) {
      const baseline = await cpuPerRequest(constant, REQUESTS, newQuestion);
      await onRound?.();
      for (const [index, scenario] of SCENARIOS.entries()) {
        const cost = await cpuOfScenario(arena, app, scenario);
        if (round >= 0) results[index]?.push({ app: cost, baseline });
      }
    }
  } finally {
    await Promise.all([app.stop(), constant.stop()]);
  }
  return results;
}
