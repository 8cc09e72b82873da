/** CPU of a question, compared with the constant function, or with an earlier version of the app. */
import type { Cost } from '../../dev/figures/cost.ts';
import type { Environment } from '../harness/environment.ts';
import { byTurns, costOf, itself } from '../harness/turns.ts';
import { cpuOfScenario, cpuPerRequest, newQuestion, REQUESTS, SCENARIOS } from './scenarios.ts';

/** Measures all scenarios by turns with the constant function. */
export async function measureCpu(environment: Environment, rounds: number): Promise<Cost[]> {
  await environment.behave({});
  const [app, constant] = [await environment.start('app'), await environment.start('constant')];
  const sides = SCENARIOS.map(
    (scenario) => [scenario.name, () => cpuOfScenario(environment, app, scenario)] as const,
  );
  const all = await byTurns<string>(rounds, {
    constant: () => cpuPerRequest(constant, REQUESTS, newQuestion),
    ...Object.fromEntries(sides),
  });
  const baseline = 'constant function';
  return SCENARIOS.map(({ name, target }) =>
    costOf(all, { name: `CPU, ${name}`, baseline, sides: [name, 'constant'], target, of: itself }),
  );
}

/** Measures all scenarios with the app and with the version before. */
export async function compareCpu(environment: Environment, rounds: number): Promise<Cost[]> {
  await environment.behave({});
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
