/** Time from the start of a process to its first uncached answer. */
import { randomUUID } from 'node:crypto';
import type { Arena, Contestant } from '../harness/contestants.ts';
import type { Cost, Round } from '../harness/cost.ts';
import { load } from '../harness/load.ts';
import { cpuTime } from '../harness/process-usage.ts';

/** Starts the app and the constant function in alternation, with a model without latency. */
export async function measureColdStart(arena: Arena, rounds: number): Promise<Cost[]> {
  await arena.emulator.behave({});
  const time: Round[] = [];
  const cpu: Round[] = [];
  const lean: Round[] = [];
  const bare: Round[] = [];
  // A warm-up: the first start of each reads from a cold disk cache, and the app's creates the table.
  for (let round = -1; round < rounds; round++) {
    const baseline = await startAndAsk(arena, 'constant');
    const app = await startAndAsk(arena, 'app');
    const plainBundle = await startAndAsk(arena, 'plain-bundle');
    const plain = await startAndAsk(arena, 'plain');
    if (round < 0) continue;
    time.push({ app: app.time, baseline: baseline.time });
    cpu.push({ app: app.cpu, baseline: baseline.cpu });
    lean.push({ app: app.time, baseline: plainBundle.time });
    bare.push({ app: plain.time, baseline: baseline.time });
  }
  const common = { baseline: 'constant function', unit: 'ms' as const };
  return [
    { ...common, name: 'Cold start, to the first uncached answer', target: 1.2, rounds: time },
    { ...common, name: 'CPU until then', target: null, rounds: cpu },
    {
      ...common,
      name: 'Cold start with the lean bundle',
      baseline: 'plain bundle',
      target: null,
      rounds: lean,
    },
    { ...common, name: 'Cold start without the libraries', target: null, rounds: bare },
  ];
}

/** Starts a contestant and asks one question. Gives the milliseconds from the start of the process to the answer. */
export async function startAndAsk(
  arena: Arena,
  contestant: Contestant,
): Promise<{ time: number; cpu: number }> {
  const startedAt = performance.now();
  const host = await arena.start(contestant);
  await load(host, 1, 1, () => ({ question: randomUUID() }));
  const time = performance.now() - startedAt;
  const cpu = cpuTime(host.process.pid ?? 0);
  await host.stop();
  return { time, cpu };
}
