/**
 * What one instance holds before it refuses questions, and how it refuses them: `npm run bench:limits`. Questions arrive at
 * 2, 5 and 10 times the rate that the app can answer, whatever happens to those before.
 */
import { writeFileSync } from 'node:fs';
import { availableParallelism, loadavg } from 'node:os';
import { parseArgs } from 'node:util';
import { withArena } from './harness/contestants.ts';
import { formatOverload, formatStreams, type LimitsResults } from './harness/limits-report.ts';
import { measureStreams } from './parts/open-streams.ts';
import { measureOverload, type Scenario } from './parts/overload.ts';

/** More would need more sockets than a process usually has. */
const UNLIMITED = 4000;
/** `httpConcurrency` of the deployment (infra/): Flex Consumption keeps further requests away from the instance. */
const HTTP_CONCURRENCY = 100;

const SCENARIOS: Record<string, Scenario> = {
  model: {
    name: 'limited by the model (500 ms, MODEL_MAX_CONCURRENCY=10)',
    modelMs: 500,
    modelRate: 20,
    env: { MODEL_MAX_CONCURRENCY: '10' },
    callers: 15,
    maxOpen: UNLIMITED,
  },
  cpu: {
    name: `limited by the CPU (model at 0 ms), at most ${HTTP_CONCURRENCY} requests at a time`,
    modelMs: 0,
    modelRate: null,
    env: {},
    callers: 64,
    maxOpen: HTTP_CONCURRENCY,
  },
  'cpu-unlimited': {
    name: 'limited by the CPU (model at 0 ms), with nothing in front',
    modelMs: 0,
    modelRate: null,
    env: {},
    callers: 64,
    maxOpen: UNLIMITED,
  },
};
const PARTS = [...Object.keys(SCENARIOS), 'streams'];
const DEFAULT_SECONDS = 8;

/** The help text. */
export const help = `npm run bench:limits -- [options] [PART...]

Measures what one instance holds before it refuses questions, and how it refuses them at 2, 5 and 10 times the load that it
can answer, in about four minutes. Linux only. Without PART, all parts: ${PARTS.join(', ')}.

  --seconds N  duration of each overload, 1 to 60 (default ${DEFAULT_SECONDS})
  --json FILE  write the results as JSON
  --help

The column "missed" says which targets a load misses. Ctrl-C prints the results so far.`;

const onProgress = (text: string): void => console.error(text);

/** Measures the named parts, or all, and prints the results. */
export async function main(args: string[]): Promise<void> {
  const options = readOptions(args);
  if (!options) return;
  const { parts, seconds, json } = options;
  const stopping = new AbortController();
  process.once('SIGINT', () => stopping.abort());
  const { signal } = stopping;
  const results: LimitsResults = {
    measured_at: new Date().toISOString(),
    node: process.version,
    cores: availableParallelism(),
    load_average: loadavg()[0] ?? 0,
    overloads: [],
    streams: null,
  };
  const isWanted = (part: string): boolean => !signal.aborted && parts.includes(part);
  try {
    await withArena(
      async (arena) => {
        for (const [part, scenario] of Object.entries(SCENARIOS)) {
          if (!isWanted(part)) continue;
          const found = await measureOverload(arena, scenario, { seconds, signal, onProgress });
          results.overloads.push(found);
          console.log(`${formatOverload(found)}\n`);
        }
        if (isWanted('streams')) {
          results.streams = await measureStreams(arena);
          console.log(formatStreams(results.streams));
        }
      },
      ['app'],
    );
  } catch (error) {
    // Ctrl-C also ends the emulator.
    if (!signal.aborted) throw error;
  } finally {
    if (json !== undefined) writeFileSync(json, `${JSON.stringify(results, null, 1)}\n`);
    const { load_average: load, cores } = results;
    console.log(`Load average of the machine before the run: ${load.toFixed(1)} on ${cores} cores.`);
  }
  if (signal.aborted) process.exitCode = 130;
}

function readOptions(args: string[]) {
  try {
    const { values, positionals } = parseArgs({
      args,
      allowPositionals: true,
      options: {
        seconds: { type: 'string', default: String(DEFAULT_SECONDS) },
        json: { type: 'string' },
      },
    });
    const unknown = positionals.filter((name) => !PARTS.includes(name));
    if (unknown.length > 0)
      throw new Error(`Unknown part ${unknown.join(', ')}; choose from ${PARTS.join(', ')}.`);
    const seconds = Number(values.seconds);
    if (!Number.isInteger(seconds) || seconds < 1 || seconds > 60)
      throw new Error('--seconds must be an integer from 1 to 60.');
    return {
      parts: positionals.length > 0 ? positionals : PARTS,
      seconds,
      json: values.json,
    };
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : String(error)}\n\n${help}`);
    process.exitCode = 2;
    return null;
  }
}
