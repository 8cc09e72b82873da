/**
 * The cost of the app, as ratios to a function with a constant answer: `npm run bench`. Every value is measured in the
 * same run as its baseline, in alternation. `npm run bench -- cpu` measures one part; BENCH_ROUNDS sets the rounds.
 */
import { writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { root } from '../dev/stack/root.ts';
import { measureClients } from './parts/clients.ts';
import { measureColdStart } from './parts/cold-start.ts';
import { type Arena, withArena } from './harness/contestants.ts';
import { type Cost, formatCost } from './harness/cost.ts';
import { measureCpu } from './parts/cpu.ts';
import { measureTelemetry } from './parts/telemetry.ts';
import { measureThroughput } from './parts/throughput.ts';

/** The parts of the benchmark, with their default number of rounds. */
const PARTS: Record<string, { measure: (arena: Arena, rounds: number) => Promise<Cost[]>; rounds: number }> =
  {
    'cold-start': { measure: measureColdStart, rounds: 15 },
    cpu: { measure: measureCpu, rounds: 9 },
    throughput: { measure: measureThroughput, rounds: 5 },
    clients: { measure: measureClients, rounds: 5 },
    telemetry: { measure: measureTelemetry, rounds: 5 },
  };

/** The results of the last complete run, for `npm run bench:chart`. */
export const RESULTS_FILE = join(root, 'docs', 'performance.json');

/** The content of that file. */
export interface BenchResults {
  measured_at: string;
  node: string;
  cores: number;
  costs: Cost[];
}

/** Measures and prints the named parts. Without names, measures all parts and writes the results file. */
export async function main(names: string[]): Promise<void> {
  const unknown = names.filter((name) => !PARTS[name]);
  if (unknown.length > 0)
    throw new Error(`Unknown part ${unknown.join(', ')}; choose from ${Object.keys(PARTS).join(', ')}.`);
  const costs: Cost[] = [];
  await withArena(async (arena) => {
    for (const [name, { measure, rounds }] of Object.entries(PARTS)) {
      if (names.length > 0 && !names.includes(name)) continue;
      const found = await measure(arena, Number(process.env['BENCH_ROUNDS'] || rounds));
      for (const cost of found) console.log(formatCost(cost));
      costs.push(...found);
    }
  });
  if (names.length > 0) return;
  const results: BenchResults = {
    measured_at: new Date().toISOString(),
    node: process.version,
    cores: availableParallelism(),
    costs,
  };
  writeFileSync(RESULTS_FILE, `${JSON.stringify(results, null, 1)}\n`);
}
