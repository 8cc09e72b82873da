/** The command line of the benchmarks. Without `--write` a benchmark only prints its results. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

/** The parsed options. */
export interface BenchOptions {
  /** Whether to overwrite the committed results. */
  write: boolean;
  /** The named parts; empty for all. */
  parts: string[];
  /** The published folder of an earlier version, to compare with. */
  before?: string | undefined;
}

/** What a benchmark accepts. `--help` is handled by dev/run.js. */
export interface Accepted {
  /** Whether the benchmark has results that are committed. */
  writes?: boolean;
  /** The parts in which it can compare the app with an earlier version. */
  compares?: string[];
  parts?: string[];
}

/** Parses the options. Returns null after invalid options: it has printed `usage` and set the exit code to 2. */
export function readBenchOptions(
  args: string[],
  usage: string,
  { writes = false, compares = [], parts = [] }: Accepted = {},
): BenchOptions | null {
  try {
    const { values, positionals } = parseArgs({
      args,
      allowPositionals: parts.length > 0,
      options: {
        ...(writes && { write: { type: 'boolean' } }),
        ...(compares.length > 0 && { before: { type: 'string' } }),
      },
    });
    const unknown = positionals.filter((name) => !parts.includes(name));
    if (unknown.length > 0)
      throw new Error(`Unknown part ${unknown.join(', ')}; choose from ${parts.join(', ')}.`);
    const { write, before } = values as { write?: boolean; before?: string };
    if (write && positionals.length > 0)
      throw new Error('--write needs the results of all parts, so name no part.');
    if (before !== undefined) checkBefore(before, compares, [...positionals, ...(write ? ['--write'] : [])]);
    return { write: write === true, parts: positionals, before };
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : String(error)}\n\n${usage}`);
    process.exitCode = 2;
    return null;
  }
}

function checkBefore(folder: string, compares: string[], others: string[]): void {
  const refused = others.filter((each) => !compares.includes(each));
  if (refused.length > 0)
    throw new Error(`--before goes with the parts ${compares.join(', ')}, not with ${refused.join(', ')}.`);
  if (!existsSync(join(folder, 'host.json')))
    throw new Error(`${folder} is not a published folder; npm run package writes one to out/.`);
}
