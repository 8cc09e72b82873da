/** `npm run perf`: measures, computes statistics, draws a chart. The stages exchange data that can be saved as JSON. */
import type { Results } from './perf/results.ts';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { isListening } from './stack/child-process.ts';
import { startLocalApp } from './perf/local-app.ts';
import { measure, type Run } from './perf/measure.ts';
import { type Options, readOptions, USAGE, UsageError } from './perf/options.ts';
import { showProgress } from './perf/progress.ts';
import { formatComparison, formatReport } from './perf/report.ts';
import { computeStatistics } from './perf/statistics.ts';

/** One Ctrl-C arrives twice: from the terminal, and from npm, which forwards it to its scripts. */
const SAME_CTRL_C_MS = 500;
const INTERRUPTED = 130;

/** Runs the performance test and sets the exit code. */
export async function main(args: string[]): Promise<void> {
  try {
    const options = readOptions(args);
    if (!options) {
      console.log(USAGE);
      return;
    }
    process.exitCode = await perform(options);
  } catch (error) {
    const wrong = error instanceof UsageError;
    console.error(error instanceof Error ? error.message : String(error));
    if (wrong) console.error('"npm run perf -- --help" explains the options.');
    process.exitCode = wrong ? 2 : 1;
  }
}

async function perform(options: Options): Promise<number> {
  // Read first, so that a bad file fails before minutes of measuring.
  const earlier = options.compare === null ? null : readResults('compare', options.compare);
  const run = options.from === null ? await ask(options) : readResults('from', options.from).run;
  const statistics = computeStatistics(run);
  const results: Results = { run, statistics };
  console.log(`\n${formatReport(run, statistics)}`);
  if (earlier) console.log(`\n${formatComparison(earlier.statistics, statistics)}`);
  if (options.json !== null) write(options.json, `${JSON.stringify(results, null, 1)}\n`);
  if (run.requests.length > 0) {
    // Imported late, so that loading the chart library does not slow down measured requests.
    const { drawChart } = await import('./perf/chart.ts');
    write(options.output, drawChart(results));
    console.log(`\nChart: ${options.output}`);
  }
  if (statistics.answered < statistics.requests) return 1;
  return run.interrupted && options.from === null ? INTERRUPTED : 0;
}

/** Runs the first stage. Starts the local app if necessary, and stops it afterwards. */
async function ask({ plan, key, ...options }: Options): Promise<Run> {
  const stop = new AbortController();
  const unlisten = onCtrlC(() => stop.abort());
  const port = Number(process.env['PORT'] || 3001);
  const url = options.url ?? `http://localhost:${port}/ask`;
  const startsApp = options.url === null && !(await isListening(port));
  if (startsApp) console.error('Starting the local app...');
  const app = startsApp ? await startLocalApp(port, stop.signal) : null;
  const progress = showProgress(process.stderr);
  try {
    return await measure(plan, { url, key, signal: stop.signal, onSample: progress.show });
  } finally {
    progress.end();
    await app?.stop();
    unlisten();
  }
}

/** The first Ctrl-C calls `stop`; the next one ends this process immediately. */
function onCtrlC(stop: () => void): () => void {
  let first = 0;
  const listener = (): void => {
    if (first === 0) {
      first = performance.now();
      stop();
    } else if (performance.now() - first > SAME_CTRL_C_MS) {
      process.exit(INTERRUPTED);
    }
  };
  process.on('SIGINT', listener);
  return () => process.off('SIGINT', listener);
}

function readResults(option: string, file: string): Results {
  try {
    const results = JSON.parse(readFileSync(file, 'utf8')) as Partial<Results>;
    if (!Array.isArray(results.run?.requests) || !results.statistics)
      throw new Error('it was not written by --json');
    return results as Results;
  } catch (error) {
    throw new UsageError(`--${option} ${file} cannot be read: ${(error as Error).message}`, { cause: error });
  }
}

function write(file: string, content: string | Uint8Array): void {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, content);
}
