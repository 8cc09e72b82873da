/**
 * The cost of the app, as ratios to a function with a constant answer: `npm run bench`. Every value is measured in the
 * same run as its baseline, in alternation.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { root } from '../dev/stack/root.ts';
import { measureClients } from './parts/clients.ts';
import { measureColdStart } from './parts/cold-start.ts';
import { type Arena, type Contestant, withArena } from './harness/contestants.ts';
import { type Cost, formatCost, formatDearer } from './harness/cost.ts';
import { readBenchOptions } from './harness/options.ts';
import { measureCpu, measurePlain } from './parts/cpu.ts';
import { measureStrangers } from './parts/strangers.ts';
import { measureVersions } from './parts/versions.ts';
import { measureTelemetry } from './parts/telemetry.ts';
import { measureThroughput } from './parts/throughput.ts';

/** The parts of the benchmark, with their default number of rounds. */
const PARTS: Record<string, { measure: (arena: Arena, rounds: number) => Promise<Cost[]>; rounds: number }> =
  {
    'cold-start': { measure: measureColdStart, rounds: 15 },
    cpu: { measure: measureCpu, rounds: 9 },
    plain: { measure: measurePlain, rounds: 5 },
    strangers: { measure: measureStrangers, rounds: 5 },
    throughput: { measure: measureThroughput, rounds: 5 },
    clients: { measure: measureClients, rounds: 5 },
    telemetry: { measure: measureTelemetry, rounds: 5 },
  };

/** A short run that is compared with the committed results, to see at once what a change has made dearer. */
const QUICK = 'quick';
const QUICK_ROUNDS = 2;
const VERSIONS_ROUNDS = 7;

/** The help text. */
export const help = `npm run bench -- [options] [PART...]

Measures and prints the cost of the app as ratios to a function with a constant answer, in about fifteen minutes. Linux
only. Without PART, all parts: ${Object.keys(PARTS).join(', ')}.
The part "${QUICK}" measures the CPU time in less than a minute, and prints what got dearer than in the committed results.

  --before FOLDER  instead, compare with the published folder of an earlier version (npm run package writes out/)
  --write          also write the results of all parts to docs/performance.json, for npm run bench:chart
  --help

BENCH_ROUNDS sets the number of rounds.`;

/** The results of the last complete run that was written, for `npm run bench:chart`. */
export const RESULTS_FILE = join(root, 'docs', 'performance.json');

/** The content of that file. */
export interface BenchResults {
  measured_at: string;
  node: string;
  cores: number;
  costs: Cost[];
}

/** Measures and prints the named parts, or all. With `--write`, writes the results file. */
export async function main(args: string[]): Promise<void> {
  const parts = [...Object.keys(PARTS), QUICK];
  const options = readBenchOptions(args, help, { writes: true, compares: true, parts });
  if (!options) return;
  if (options.parts.includes(QUICK)) return measureQuickly();
  if (options.before !== undefined) return compareVersions(options.before);
  const costs: Cost[] = [];
  await withArena(async (arena) => {
    for (const [name, { measure, rounds }] of Object.entries(PARTS)) {
      if (options.parts.length > 0 && !options.parts.includes(name)) continue;
      const found = await measure(arena, Number(process.env['BENCH_ROUNDS'] || rounds));
      for (const cost of found) console.log(formatCost(cost));
      costs.push(...found);
    }
  });
  if (!options.write) return;
  const results: BenchResults = {
    measured_at: new Date().toISOString(),
    node: process.version,
    cores: availableParallelism(),
    costs,
  };
  writeFileSync(RESULTS_FILE, `${JSON.stringify(results, null, 2)}\n`);
}

/** Measures and prints costs with the named contestants alone. */
async function measureWith(
  measure: (arena: Arena) => Promise<Cost[]>,
  ...arena: [contestants: readonly Contestant[], before?: string]
): Promise<Cost[]> {
  const costs: Cost[] = [];
  await withArena(async (each) => void costs.push(...(await measure(each))), ...arena);
  for (const cost of costs) console.log(formatCost(cost));
  return costs;
}

/** Prints the costs of the app, compared with those of the version in the folder `before`. */
async function compareVersions(before: string): Promise<void> {
  const rounds = Number(process.env['BENCH_ROUNDS'] || VERSIONS_ROUNDS);
  await measureWith((arena) => measureVersions(arena, rounds), ['app'], before);
}

/** Prints the CPU costs, and those that got dearer. It never fails: the machine may be busy. */
async function measureQuickly(): Promise<void> {
  const committed = JSON.parse(readFileSync(RESULTS_FILE, 'utf8')) as BenchResults;
  const contestants = ['app', 'constant', 'raw-request'] as const;
  const costs = await measureWith((arena) => measureCpu(arena, QUICK_ROUNDS), contestants);
  console.log(formatDearer(costs, committed.costs));
}
