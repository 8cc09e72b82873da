/** The command line of the benchmarks. Without `--write` a benchmark only prints its results. */
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
  parts?: string[];
}

/** Parses the options. Returns null after invalid options: it has printed `usage` and set the exit code to 2. */
export function readBenchOptions(
  args: string[],
  usage: string,
  { writes = false, parts = [] }: Accepted = {},
): BenchOptions | null {
  const flag = { type: 'boolean', default: false } as const;
  try {
    const { values, positionals } = parseArgs({
      args,
      allowPositionals: parts.length > 0,
      options: writes ? { write: flag, before: { type: 'string' } } : {},
    });
    const unknown = positionals.filter((name) => !parts.includes(name));
    if (unknown.length > 0)
      throw new Error(`Unknown part ${unknown.join(', ')}; choose from ${parts.join(', ')}.`);
    const write = 'write' in values && values.write === true;
    if (write && positionals.length > 0)
      throw new Error('--write needs the results of all parts, so name no part.');
    return { write, parts: positionals, before: readBefore(values) };
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : String(error)}\n\n${usage}`);
    process.exitCode = 2;
    return null;
  }
}

const readBefore = (values: object): string | undefined =>
  'before' in values && typeof values.before === 'string' ? values.before : undefined;
