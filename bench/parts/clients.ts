/** The gain of the pooled client: the app compared with two clients common in samples, at a latency of 40 ms. */
import { randomUUID } from 'node:crypto';
import { startTcpProxy } from '../../dev/stack/tcp-proxy.ts';
import type { Arena } from '../harness/contestants.ts';
import type { Cost, Round } from '../harness/cost.ts';
import { load } from '../harness/load.ts';
import { cpuTime } from '../harness/process-usage.ts';

const ONE_WAY_MS = 20;
const CONNECTIONS = 8;
const REQUESTS = 160;
const WAYS = {
  'client-per-request': 'a new client for each question',
  'no-keep-alive': 'HTTP/1.1 without keep-alive',
} as const;

/** Measures all three in alternation. */
export async function measureClients(arena: Arena, rounds: number): Promise<Cost[]> {
  await arena.emulator.behave({});
  const proxy = await startTcpProxy(Number(new URL(arena.emulator.url).port), ONE_WAY_MS);
  const env = { AZURE_OPENAI_ENDPOINT: `https://localhost:${proxy.port}` };
  const costs: Cost[] = [];
  for (const [way, description] of Object.entries(WAYS) as [keyof typeof WAYS, string][]) {
    const [app, other] = await Promise.all([arena.start('app', env), arena.start(way, env)]);
    const time: Round[] = [];
    const cpu: Round[] = [];
    for (let round = -1; round < rounds; round++) {
      const theirs = await askMany(other);
      const ours = await askMany(app);
      if (round < 0) continue;
      time.push({ app: ours.p50, baseline: theirs.p50 });
      cpu.push({ app: ours.cpu, baseline: theirs.cpu });
    }
    await Promise.all([app.stop(), other.stop()]);
    costs.push(
      {
        name: `p50, model at a distance of ${2 * ONE_WAY_MS} ms`,
        baseline: description,
        unit: 'ms',
        target: null,
        rounds: time,
      },
      {
        name: `CPU, model at a distance of ${2 * ONE_WAY_MS} ms`,
        baseline: description,
        unit: 'ms',
        target: null,
        rounds: cpu,
      },
    );
  }
  await proxy.close();
  return costs;
}

async function askMany(host: Awaited<ReturnType<Arena['start']>>): Promise<{ p50: number; cpu: number }> {
  const pid = host.process.pid ?? 0;
  const before = cpuTime(pid);
  const { times } = await load(host, CONNECTIONS, REQUESTS, () => ({ question: randomUUID() }));
  return { p50: times.p50, cpu: (cpuTime(pid) - before) / REQUESTS };
}
