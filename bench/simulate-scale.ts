/**
 * `npm run bench:simulate`: a simulation of the deployed app under load, up to 50,000 questions a second, and with
 * `--check` a comparison of the simulation with measurements on this machine.
 */
import { parseArgs } from 'node:util';
import { RATES, scenariosFor } from './simulation/scenarios.ts';
import { simulate } from './simulation/simulate.ts';
import { formatTable, type Row, toRow } from './simulation/table.ts';

const MAX_MINUTES = 30;

/** The help text. */
export const help = `npm run bench:simulate -- [options]

Simulates the app on Azure with ${RATES.map((rate) => rate.toLocaleString('en')).join(', ')} questions a second, and prints what each deployment answers, refuses and
costs, and which limit it reaches first. docs/scale.md explains the model. Takes about a minute.

  --rate N     only this rate
  --seed N     seed of the random numbers: the same seed gives the same output (1)
  --minutes N  simulated time of a run, at most ${MAX_MINUTES} (2)
  --json       print JSON
  --check      run 1, 2 and 4 processes of the app here, and compare them with their simulation (Linux, under 2 minutes)
  --help`;

interface Options {
  rates: number[];
  seed: number;
  minutes: number;
  json: boolean;
  check: boolean;
}

/** Simulates, or with `--check` measures and compares. The exit code is 2 after wrong options. */
export async function main(args: string[]): Promise<void> {
  const options = readOptions(args);
  if (!options) return;
  if (options.check) {
    // Imported late: it needs the built app and its servers.
    const { check } = await import('./simulation/check.ts');
    return check();
  }
  const rows: Row[] = [];
  for (const rate of options.rates) {
    for (const scenario of scenariosFor(rate, options.minutes)) {
      if (process.stderr.isTTY) process.stderr.write(`\u001B[2K\r${rate} a second: ${scenario.name}`);
      rows.push(toRow(scenario, simulate(scenario, options.seed, options.minutes)));
    }
    if (process.stderr.isTTY) process.stderr.write('\u001B[2K\r');
    if (!options.json)
      console.log(
        formatTable(
          rate,
          rows.filter((row) => row.rate === rate),
        ),
      );
  }
  if (options.json)
    console.log(JSON.stringify({ seed: options.seed, minutes: options.minutes, rows }, null, 1));
}

function readOptions(args: string[]): Options | null {
  const text = { type: 'string' } as const;
  const flag = { type: 'boolean', default: false } as const;
  try {
    const { values } = parseArgs({
      args,
      options: { rate: text, seed: text, minutes: text, json: flag, check: flag },
    });
    const rate = numberOf('--rate', values.rate, 0, 1e6);
    return {
      rates: rate === 0 ? [...RATES] : [rate],
      seed: numberOf('--seed', values.seed, 1, 2 ** 32 - 1),
      minutes: numberOf('--minutes', values.minutes, 2, MAX_MINUTES),
      json: values.json,
      check: values.check,
    };
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : String(error)}\n\n${help}`);
    process.exitCode = 2;
    return null;
  }
}

/** @throws Error when `text` is no number above 0 and up to `max`. */
function numberOf(name: string, text: string | undefined, usual: number, max: number): number {
  if (text === undefined) return usual;
  const number = Number(text);
  if (!(number > 0 && number <= max)) throw new Error(`${name} is a number above 0, at most ${max}.`);
  return number;
}
