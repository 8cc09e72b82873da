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
import { type Part, withArena } from './harness/contestants.ts';
import { type Cost, formatCost, formatDearer } from './harness/cost.ts';
import { readBenchOptions } from './harness/options.ts';
import { measureCpu, measurePlain } from './parts/cpu.ts';
import { measureSlowStreams } from './parts/slow-streams.ts';
import { measureStrangers } from './parts/strangers.ts';
import { VERSION_PARTS } from './parts/versions.ts';
import { measureTelemetry } from './parts/telemetry.ts';
import { measureThroughput } from './parts/throughput.ts';

const PARTS: Record<string, Part> = {
  'cold-start': { measure: measureColdStart, rounds: 15 },
  cpu: { measure: measureCpu, rounds: 9 },
  'slow-streams': { measure: measureSlowStreams, rounds: 5 },
  plain: { measure: measurePlain, rounds: 5 },
  strangers: { measure: measureStrangers, rounds: 5 },
  throughput: { measure: measureThroughput, rounds: 5 },
  clients: { measure: measureClients, rounds: 5 },
  telemetry: { measure: measureTelemetry, rounds: 5 },
};

/** A short run that is compared with the committed results, to see at once what a change has made dearer. */
const QUICK = 'quick';
const QUICK_ROUNDS = 2;

/** The help text. */
export const help = `npm run bench -- [options] [PART...]

Measures and prints the cost of the app as ratios to a function with a constant answer, in about twenty minutes. Linux
only. Without PART, all parts: ${Object.keys(PARTS).join(', ')}.
The part "${QUICK}" measures the CPU time in less than a minute, and prints what got dearer than in the committed results.

  --before FOLDER  instead, compare with the published folder of an earlier version (npm run package writes out/);
                   its parts are ${Object.keys(VERSION_PARTS).join(', ')}
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
  const compares = Object.keys(VERSION_PARTS);
  const options = readBenchOptions(args, help, { writes: true, compares, parts });
  if (!options) return;
  if (options.parts.includes(QUICK)) return measureQuickly();
  const { before } = options;
  const chosen = Object.entries(before === undefined ? PARTS : VERSION_PARTS).filter(
    ([name]) => options.parts.length === 0 || options.parts.includes(name),
  );
  const costs: Cost[] = [];
  await withArena(
    async (arena) => {
      for (const [, { measure, rounds }] of chosen) {
        const found = await measure(arena, Number(process.env['BENCH_ROUNDS'] || rounds));
        for (const cost of found) console.log(formatCost(cost));
        costs.push(...found);
      }
    },
    before === undefined ? undefined : ['app'],
    before,
  );
  if (!options.write) return;
  const results: BenchResults = {
    measured_at: new Date().toISOString(),
    node: process.version,
    cores: availableParallelism(),
    costs,
  };
  writeFileSync(RESULTS_FILE, `${JSON.stringify(results, null, 2)}\n`);
}

/** Prints the CPU costs, and those that got dearer. It never fails: the machine may be busy. */
async function measureQuickly(): Promise<void> {
  const committed = JSON.parse(readFileSync(RESULTS_FILE, 'utf8')) as BenchResults;
  await withArena(
    async (arena) => {
      const costs = await measureCpu(arena, QUICK_ROUNDS);
      for (const cost of costs) console.log(formatCost(cost));
      console.log(formatDearer(costs, committed.costs));
    },
    ['app', 'constant', 'raw-request'],
  );
}
