/** CPU per request, as a ratio to the constant function, in units of one raw request, or to an earlier version. */
import type { Cost } from '../../dev/figures/cost.ts';
import type { Environment } from '../harness/environment.ts';
import { byTurns, costOf, itself } from '../harness/turns.ts';
import type { WorkerProcess } from '../harness/worker-process.ts';
import { cpuOfScenario, cpuPerRequest, newQuestion, REQUESTS, SCENARIOS } from './scenarios.ts';

const CONSTANT = 'constant function';

/** Measures all scenarios by turns with the constant function and one raw request. */
export async function measureCpu(environment: Environment, rounds: number): Promise<Cost[]> {
  const raw = await environment.start('raw-request');
  const sides = await scenariosOf(environment, 'app');
  sides['raw'] = () => cpuPerRequest(raw, REQUESTS, newQuestion);
  const all = await byTurns(rounds, sides);
  const added = SCENARIOS.map(({ name }): Cost => ({
    name: `Added CPU, ${name}`,
    baseline: 'one raw HTTP/2 request',
    unit: 'ms',
    target: null,
    rounds: all.map(({ raw: unit = 0, constant = 0, [name]: app = 0 }) => ({
      app: app - constant,
      baseline: unit - constant,
    })),
  }));
  return [...toConstant('CPU', all, true), ...added];
}

/** The same ratios for the app without the libraries. */
export async function measurePlain(environment: Environment, rounds: number): Promise<Cost[]> {
  return toConstant(
    'CPU without the libraries',
    await byTurns(rounds, await scenariosOf(environment, 'plain')),
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

/** The scenarios with a subject, and the constant function. */
async function scenariosOf(
  environment: Environment,
  subject: 'app' | 'plain',
): Promise<Record<string, () => Promise<number>>> {
  await environment.behave({});
  const app = await environment.start(subject);
  const constant: WorkerProcess = await environment.start('constant');
  return {
    constant: () => cpuPerRequest(constant, REQUESTS, newQuestion),
    ...Object.fromEntries(
      SCENARIOS.map((scenario) => [scenario.name, () => cpuOfScenario(environment, app, scenario)]),
    ),
  };
}

const toConstant = (title: string, all: Record<string, number>[], hasTarget = false): Cost[] =>
  SCENARIOS.map(({ name, target }) =>
    costOf(all, {
      name: `${title}, ${name}`,
      baseline: CONSTANT,
      sides: [name, 'constant'],
      target: hasTarget ? target : null,
      of: itself,
    }),
  );
