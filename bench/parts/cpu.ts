/** CPU of a question, compared with the constant function, or with an earlier version of the app. */
import type { Cost } from '../../dev/figures/cost.ts';
import type { Environment } from '../harness/environment.ts';
import { type Body, load } from '../harness/load.ts';
import { byTurns, costOf, itself } from '../harness/turns.ts';
import type { WorkerProcess } from '../harness/worker-process.ts';
import { askCapital, cpuOfScenario, cpuPerRequest, newQuestion, REQUESTS, SCENARIOS } from './scenarios.ts';

/** Measures all scenarios by turns with the constant function, or with the version before. */
export async function measureCpu(environment: Environment, rounds: number): Promise<Cost[]> {
  await environment.behave({});
  if (environment.comparesVersions) return compareVersions(environment, rounds);
  const [app, constant] = [await environment.start('app'), await environment.start('constant')];
  const sides = SCENARIOS.map(
    (scenario) => [scenario.name, () => cpuOfScenario(environment, app, scenario)] as const,
  );
  const all = await byTurns<string>(rounds, {
    constant: () => cpuPerRequest(constant, REQUESTS, newQuestion),
    ...Object.fromEntries(sides),
    'constant, one caller': () => timeOfOne(constant, newQuestion),
    'cached, one caller': () => timeOfOne(app, askCapital),
    'asked, one caller': () => timeOfOne(app, newQuestion),
  });
  const baseline = 'constant function';
  const times = ['cached, one caller', 'asked, one caller'].map((name) =>
    costOf(all, { name: `p50, ${name}`, baseline, sides: [name, 'constant, one caller'], of: itself }),
  );
  const costs = SCENARIOS.map(({ name, target }) =>
    costOf(all, { name: `CPU, ${name}`, baseline, sides: [name, 'constant'], target, of: itself }),
  );
  return [...costs, ...times];
}

const SINGLE_REQUESTS = 300;

/** Median milliseconds of an answer to one caller, through the functions host that the benchmark is. */
async function timeOfOne(worker: WorkerProcess, body: Body): Promise<number> {
  const { times } = await load(worker, 1, SINGLE_REQUESTS, body);
  return times.p50;
}

async function compareVersions(environment: Environment, rounds: number): Promise<Cost[]> {
  const [app, before] = [await environment.start('app'), await environment.start('before')];
  const sides = SCENARIOS.flatMap((scenario) => [
    [scenario.name, () => cpuOfScenario(environment, app, scenario)] as const,
    [`${scenario.name} before`, () => cpuOfScenario(environment, before, scenario)] as const,
  ]);
  const all = await byTurns(rounds, Object.fromEntries(sides));
  return SCENARIOS.map(({ name }) =>
    costOf(all, { name: `CPU, ${name}`, baseline: 'before', sides: [name, `${name} before`], of: itself }),
  );
}
