/** The command lines of the benchmarks. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

/** The parsed options of `npm run bench`. */
export interface BenchOptions {
  /** Whether to write the results for the documents. */
  write: boolean;
  /** The named parts; empty for the usual ones. */
  parts: string[];
  /** The published folder of an earlier version, to compare with. */
  before?: string | undefined;
}

/** Calls `read`. After invalid options it prints the error with `usage`, sets the exit code to 2 and returns null. */
export function readOptions<T>(usage: string, read: () => T): T | null {
  try {
    return read();
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : String(error)}\n\n${usage}`);
    process.exitCode = 2;
    return null;
  }
}

/** Parses the options. `compares` are the parts that go with `--before`. @throws Error that names the option */
export function readBenchOptions(args: string[], parts: string[], compares: string[]): BenchOptions {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: { write: { type: 'boolean', default: false }, before: { type: 'string' } },
  });
  const { write, before } = values;
  const unknown = positionals.filter((name) => !parts.includes(name));
  if (unknown.length > 0)
    throw new Error(`Unknown part ${unknown.join(', ')}; choose from ${parts.join(', ')}.`);
  if (before !== undefined) {
    const refused = [...positionals, ...(write ? ['--write'] : [])].filter(
      (each) => !compares.includes(each),
    );
    if (refused.length > 0)
      throw new Error(`--before goes with the parts ${compares.join(', ')}, not with ${refused.join(', ')}.`);
    if (!existsSync(join(before, 'host.json')))
      throw new Error(`${before} is not a published folder; npm run package writes one to out/.`);
  }
  return { write, parts: positionals, before };
}

/** Reads a number within a range. @throws Error that names the option */
export function readNumber(name: string, text: string, [min, max]: [number, number]): number {
  const value = /^\d*\.?\d+$/.test(text) ? Number(text) : Number.NaN;
  if (value >= min && value <= max) return value;
  throw new Error(`--${name} must be a number from ${min} to ${max}, not "${text}".`);
}
