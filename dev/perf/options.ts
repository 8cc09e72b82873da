/** The command line of the performance test. */
import { parseArgs } from 'node:util';

/** What `--help` prints. */
export const USAGE = `npm run perf -- [options]

Asks the app one question again and again, and says how long the answers took: statistics here, a plot in a file.

  --requests N        how often to ask (default 5); with --test-cache that many times each way
  --duration SECONDS  ask for so long instead
  --delay SECONDS     pause between requests (default 1)
  --concurrency N     so many ask at the same time, each with its own pauses (default 1)
  --question TEXT     default "What is the capital of France?"
  --test-cache        ask each time twice, past the cache and then with it, and compare
  --test-session      all requests in one session; otherwise each in a new one. With --test-cache
                      the conversation begins anew each time, since a follow-up is another question
  --stream            take the answers as streams, and measure the time to the first token
  --url URL           default the local app, http://localhost:3001/ask (or PORT). It is started for
                      the test, with an emulated model or the one in the settings, if it does not run
  --key KEY           the function key (x-functions-key)
  --output FILE       the plot, a PNG (default performance_results.png)
  --json FILE         all that was measured, times in seconds
  --compare FILE      show an earlier --json beside this test
  --from FILE         ask nothing: statistics and plot of an earlier --json
  --help

Without --test-cache the requests say Cache-Control: no-store, so that the model is measured.
Ctrl-C ends the test and reports what was measured; once more ends at once.
Exit code: 0 all answered, 1 a request failed or the test could not run, 2 wrong options, 130 stopped with Ctrl-C.`;

/** How to ask. Times in seconds. */
export interface Plan {
  requests: number;
  /** Instead of `requests`. */
  duration: number | null;
  delay: number;
  concurrency: number;
  question: string;
  test_cache: boolean;
  test_session: boolean;
  stream: boolean;
}

/** All that the command line says. */
export interface Options {
  plan: Plan;
  /** null: the local app. */
  url: string | null;
  key: string | null;
  output: string;
  json: string | null;
  compare: string | null;
  from: string | null;
}

/** The command line is wrong; the message says how. */
export class UsageError extends Error {}

const text = { type: 'string' } as const;
const flag = { type: 'boolean', default: false } as const;
const KNOWN = {
  requests: text,
  duration: text,
  delay: text,
  concurrency: text,
  question: text,
  'test-cache': flag,
  'test-session': flag,
  stream: flag,
  url: text,
  key: text,
  output: text,
  json: text,
  compare: text,
  from: text,
  help: flag,
};

/** Gives null when only help is wanted. @throws UsageError */
export function readOptions(args: string[]): Options | null {
  try {
    const { values } = parseArgs({ args, options: KNOWN });
    if (values.help) return null;
    return toOptions(values);
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error), { cause: error });
  }
}

type Values = ReturnType<typeof parseArgs<{ options: typeof KNOWN }>>['values'];

function toOptions(values: Values): Options {
  if (values.requests !== undefined && values.duration !== undefined)
    throw new Error('Choose --requests or --duration, not both.');
  const question = values.question ?? 'What is the capital of France?';
  if (!question.trim()) throw new Error('--question must not be empty.');
  return {
    plan: {
      requests: number('requests', values.requests ?? '5', { min: 1, whole: true }),
      duration: values.duration === undefined ? null : number('duration', values.duration, { min: 0.001 }),
      delay: number('delay', values.delay ?? '1', { min: 0 }),
      concurrency: number('concurrency', values.concurrency ?? '1', { min: 1, max: 1000, whole: true }),
      question,
      test_cache: values['test-cache'],
      test_session: values['test-session'],
      stream: values.stream,
    },
    url: values.url === undefined ? null : webAddress(values.url),
    key: values.key ?? null,
    output: values.output || 'performance_results.png',
    json: values.json ?? null,
    compare: values.compare ?? null,
    from: values.from ?? null,
  };
}

interface Range {
  min: number;
  max?: number;
  whole?: boolean;
}

function number(name: string, written: string, { min, max = 1_000_000, whole = false }: Range): number {
  const value = /^\d*\.?\d+$/.test(written) ? Number(written) : Number.NaN;
  if (value >= min && value <= max && (!whole || Number.isInteger(value))) return value;
  const kind = whole ? 'a whole number' : 'a number';
  throw new Error(`--${name} must be ${kind} from ${min} to ${max}, not "${written}".`);
}

function webAddress(written: string): string {
  if (URL.canParse(written) && /^https?:$/.test(new URL(written).protocol)) return written;
  throw new Error(`--url must be like http://localhost:3001/ask, not "${written}".`);
}
