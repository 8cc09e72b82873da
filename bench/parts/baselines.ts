/** CPU per request of other ways to answer the same question, without chat history and cache. */
import type { Cost } from '../../dev/figures/cost.ts';
import type { Environment } from '../harness/environment.ts';
import { GATEWAY_QUESTION, startGateway } from '../harness/gateway.ts';
import { load } from '../harness/load.ts';
import { cpuDuring } from '../harness/process-usage.ts';
import { byTurns, costOf, itself } from '../harness/turns.ts';
import { ASKED, CONNECTIONS, cpuPerRequest, newQuestion, REQUESTS } from './scenarios.ts';

/** Measures the app by turns with a client for each question, without keep-alive, and with a public gateway. */
export async function measureBaselines(environment: Environment, rounds: number): Promise<Cost[]> {
  await environment.behave({});
  const app = await environment.start('app');
  const perRequest = await environment.start('client-per-request');
  const closing = await environment.start('no-keep-alive');
  const gateway = await startGateway(environment);
  const sides: Record<string, () => Promise<number>> = {
    async app() {
      await environment.emptyStorage();
      return cpuPerRequest(app, REQUESTS, newQuestion);
    },
    'a new client for each question': () => cpuPerRequest(perRequest, REQUESTS, newQuestion),
    'HTTP/1.1 without keep-alive': () => cpuPerRequest(closing, REQUESTS, newQuestion),
  };
  if (gateway)
    sides["Portkey's gateway, without history"] = () =>
      cpuDuring(gateway.pid, REQUESTS, () => load(gateway, CONNECTIONS, REQUESTS, () => GATEWAY_QUESTION));
  const all = await byTurns(rounds, sides);
  return Object.keys(sides)
    .slice(1)
    .map((side) =>
      costOf(all, {
        name: `CPU, ${ASKED}`,
        sides: ['app', side],
        target: side.startsWith('Portkey') ? 1.3 : null,
        of: itself,
      }),
    );
}
