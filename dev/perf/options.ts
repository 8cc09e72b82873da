/** The command-line options of the performance test. */
import { parseArgs } from 'node:util';
import { refuseOptionsOfNpm } from '../stack/npm-options.ts';
import { localPort } from '../stack/settings.ts';

/** The help text. */
export const help = `npm run perf -- [options]

Asks the app one question repeatedly and measures the answers. Prints statistics and writes a chart.

  --requests N        number of requests (default 5); with --test-cache, that many without and with the cache
  --duration SECONDS  ask for this long instead of a number of requests
  --delay SECONDS     pause between requests (default 1)
  --concurrency N     number of concurrent clients, each with its own pauses (default 1)
  --question TEXT     default "What is the capital of France?"
  --test-cache        ask twice each time, first bypassing the cache and then with it, and compare
  --test-session      send all requests in one session instead of a new session each. With --test-cache
                      each request starts a new conversation, because a follow-up has another cache key
  --stream            stream the answers and measure the time to first token
  --port N            port of the local app, instead of 3001 (or set PORT). If nothing listens there, the app
                      is started for the test, with the emulated model or the model in the settings
  --url URL           the address of another app, instead of http://localhost:3001
  --key KEY           the function key, or that of a caller
  --output FILE       the chart, a PNG (default performance_results.png)
  --json FILE         write all measurements, with times in seconds
  --compare FILE      compare with the --json file of an earlier test, in the report and in the chart
  --from FILE         send no requests; use the --json file of an earlier test
  --help

p95 is computed from 20 times on, p99 from 100 on.
If nothing is answered, the test stops early, says why, and writes no file.
Without --test-cache the requests are sent with Cache-Control: no-store, so that the model is measured.
Ctrl-C ends the test and reports the results so far; a second Ctrl-C ends immediately.
Exit code: 0 all answered, 1 a request failed or the test could not run, 2 invalid options, 130 stopped with Ctrl-C.`;

/** The requests to send. Times in seconds. */
export interface Plan {
  requests: number;
  /** Used instead of `requests` when not null. */
  duration: number | null;
  delay: number;
  concurrency: number;
  question: string;
  test_cache: boolean;
  test_session: boolean;
  stream: boolean;
}

/** The parsed options. */
export interface Options {
  plan: Plan;
  url: string;
  /** The port of the local app, which is started if nothing listens there; null with `--url`. */
  port: number | null;
  key: string | null;
  output: string;
  json: string | null;
  compare: string | null;
  from: string | null;
}

/** The options are invalid; the message says why. */
export class UsageError extends Error {}

const text = { type: 'string' } as const;
const flag = { type: 'boolean', default: false } as const;
const OPTIONS = {
  requests: text,
  duration: text,
  delay: text,
  concurrency: text,
  question: text,
  'test-cache': flag,
  'test-session': flag,
  stream: flag,
  port: text,
  url: text,
  key: text,
  output: text,
  json: text,
  compare: text,
  from: text,
};

/** Parses the options. @throws UsageError */
export function readOptions(args: string[]): Options {
  try {
    refuseOptionsOfNpm(Object.keys(OPTIONS));
    const { values } = parseArgs({ args, options: OPTIONS });
    return toOptions(values);
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error), { cause: error });
  }
}

type Values = ReturnType<typeof parseArgs<{ options: typeof OPTIONS }>>['values'];

function toOptions(values: Values): Options {
  if (values.requests !== undefined && values.duration !== undefined)
    throw new Error('Choose --requests or --duration, not both.');
  const question = values.question ?? 'What is the capital of France?';
  if (values.port !== undefined && values.url !== undefined)
    throw new Error('Choose --port or --url, not both: --port is the port of the local app.');
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
    ...addressOf(values),
    key: values.key ?? null,
    output: values.output || 'performance_results.png',
    json: values.json ?? null,
    compare: values.compare ?? null,
    from: values.from ?? null,
  };
}

/** The app to ask: `--url`, or the local app on `--port` or on the port in `PORT`. */
function addressOf(values: Values): Pick<Options, 'url' | 'port'> {
  if (values.url !== undefined) return { url: webAddress(values.url), port: null };
  const port = number('port', values.port ?? localPort(), {
    min: 1,
    max: 65_535,
    whole: true,
  });
  return { url: `http://localhost:${port}/ask`, port };
}

interface Range {
  min: number;
  max?: number;
  whole?: boolean;
}

function number(name: string, argument: string, { min, max = 1_000_000, whole = false }: Range): number {
  const value = /^\d*\.?\d+$/.test(argument) ? Number(argument) : Number.NaN;
  if (value >= min && value <= max && (!whole || Number.isInteger(value))) return value;
  const kind = whole ? 'a whole number' : 'a number';
  throw new Error(`--${name} must be ${kind} from ${min} to ${max}, not "${argument}".`);
}

/** The address of the route to ask. `value` is that of the app, or of the route. */
function webAddress(value: string): string {
  const url = URL.parse(value);
  if (!url || !/^https?:$/.test(url.protocol))
    throw new Error(`--url must be an address like http://localhost:3001, not "${value}".`);
  if (url.pathname === '/') url.pathname = '/ask';
  return url.href;
}
