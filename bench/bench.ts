/** `npm run bench`: what the app costs, as ratios to a baseline that is measured in the same rounds. */
import { type Cost, formatCost } from '../dev/figures/cost.ts';
import { readResults } from '../dev/figures/results.ts';
import { type Environment, type Part, type PartResult, withEnvironment } from './harness/environment.ts';
import { readBenchOptions, readOptions } from './harness/options.ts';
import { formatRegressions, formatTable, writeResults } from './harness/results.ts';
import { measureColdStart } from './parts/cold-start.ts';
import { measureCpu } from './parts/cpu.ts';
import { measureLimits } from './parts/limits.ts';
import { listPath } from './parts/path.ts';
import { measureSlowStreams } from './parts/slow-streams.ts';
import { measureThroughput } from './parts/throughput.ts';
import { measureUsers } from './parts/users.ts';

interface Entry {
  what: string;
  measure: Part;
  /** The default number of rounds. */
  rounds: number;
}

/** The cost of the whole app: these run when no part is named. */
const APP: Record<string, Entry> = {
  'cold-start': { what: 'start of the process to the first answer', measure: measureColdStart, rounds: 15 },
  cpu: { what: 'CPU of cached, asked and streamed answers', measure: measureCpu, rounds: 9 },
  'slow-streams': { what: 'CPU and delay of single tokens', measure: measureSlowStreams, rounds: 5 },
  throughput: { what: 'memory and tail with 200 connections', measure: measureThroughput, rounds: 5 },
  users: {
    what: 'what users feel, beside a sample and a gateway from npm',
    measure: measureUsers,
    rounds: 3,
  },
};

/** Single components, and the limits. */
const OTHERS: Record<string, Entry> = {
  path: { what: 'files of src that a warm question executes', measure: listPath, rounds: 1 },
  limits: { what: 'overload of one instance (four minutes)', measure: measureLimits, rounds: 3 },
};
const PARTS = { ...APP, ...OTHERS };

/** The parts that can compare the app with an earlier version of itself, with the number of rounds for this. */
const VERSIONS: Record<string, number> = { cpu: 7, 'slow-streams': 7, 'cold-start': 21 };

/** A short run that is compared with the committed results. */
const QUICK = 'quick';
const QUICK_ROUNDS = 2;

const list = (entries: Record<string, Entry>): string =>
  Object.entries(entries)
    .map(([name, { what }]) => `  ${name.padEnd(13)} ${what}`)
    .join('\n');

/** The help text. */
export const help = `npm run bench -- [options] [PART...]

Measures and prints the cost of the app as ratios to a baseline, which is measured by turns with it. Linux only. Without
PART, these parts, in about ten minutes:
${list(APP)}
Only when they are named:
${list(OTHERS)}
  ${QUICK.padEnd(13)} CPU in less than a minute, and the regressions above 10 % since the committed results

  --before FOLDER  instead, compare with the published folder of an earlier version (npm run package writes out/);
                   its parts are ${Object.keys(VERSIONS).join(', ')}
  --write          also write docs/results/PART.json, for npm run tables
  --help

BENCH_ROUNDS sets the number of rounds. BENCH_VERBOSE=1 prints what the apps print.`;

/** Measures and prints the parts. */
export async function main(args: string[]): Promise<void> {
  const names = [...Object.keys(PARTS), QUICK];
  const options = readOptions(help, () => readBenchOptions(args, names, Object.keys(VERSIONS)));
  if (!options) return;
  const { before, parts, write } = options;
  await withEnvironment(async (environment) => {
    if (parts.includes(QUICK)) return measureQuickly(environment);
    const usual = Object.keys(before === undefined ? APP : VERSIONS);
    for (const [name, entry] of Object.entries<Entry>(PARTS)) {
      if (!(parts.length > 0 ? parts : usual).includes(name)) continue;
      const rounds = before === undefined ? entry.rounds : (VERSIONS[name] ?? 1);
      const result = await run(environment, { ...entry, rounds });
      if (write) writeResults(name, result);
    }
  }, before);
}

/** Measures one part, prints its results, and stops what it has started. */
async function run(environment: Environment, { measure, rounds }: Entry): Promise<PartResult> {
  try {
    const measured = (await measure(environment, Number(process.env['BENCH_ROUNDS'] || rounds))) ?? {};
    const result = Array.isArray(measured) ? { costs: measured } : measured;
    for (const cost of result.costs ?? []) console.log(formatCost(cost));
    for (const table of Object.values(result.tables ?? {})) console.log(`\n${formatTable(table)}`);
    return result;
  } finally {
    await environment.stopAll();
  }
}

/** Prints the CPU costs and the regressions. It never fails: the machine may be busy. */
async function measureQuickly(environment: Environment): Promise<void> {
  const { costs = [] } = await run(environment, { what: QUICK, measure: measureCpu, rounds: QUICK_ROUNDS });
  const committed: Cost[] = readResults()['cpu']?.costs ?? [];
  console.log(formatRegressions(costs, committed));
}
