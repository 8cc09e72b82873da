/** `npm run perf`: measures, computes statistics, draws a chart. The stages exchange data that can be saved as JSON. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { isListening } from './stack/child-process.ts';
import { INTERRUPTED, onCtrlC } from './stack/ctrl-c.ts';
import { explainFailure } from './perf/failure.ts';
import { startLocalApp } from './perf/local-app.ts';
import { measure, type Run } from './perf/measure.ts';
import { type Options, help, readOptions, UsageError } from './perf/options.ts';
import { showProgress } from './perf/progress.ts';
import { formatComparison, formatReport } from './perf/report.ts';
import type { EarlierResults, Results } from './perf/results.ts';
import { computeStatistics } from './perf/statistics.ts';

export { help };

/** Runs the performance test and sets the exit code. */
export async function main(args: string[]): Promise<void> {
  try {
    process.exitCode = await perform(readOptions(args));
  } catch (error) {
    const wrong = error instanceof UsageError;
    console.error(error instanceof Error ? error.message : String(error));
    if (wrong) console.error('"npm run perf -- --help" explains the options.');
    process.exitCode = wrong ? 2 : 1;
  }
}

async function perform(options: Options): Promise<number> {
  // Read first, so that a bad file fails before minutes of measuring.
  const earlier = options.compare === null ? null : readEarlier(options.compare);
  const results = options.from === null ? analyse(await ask(options)) : readResults('from', options.from);
  const { run, statistics } = results;
  if (run.requests.length > 0 && statistics.answered === 0) {
    console.error(`\n${explainFailure(run, statistics.errors)}\n${keptFile(options.output)}`);
    return 1;
  }
  console.log(`\n${formatReport(run, statistics)}`);
  if (earlier) console.log(`\n${formatComparison(earlier.statistics, statistics)}`);
  if (run.requests.length > 0) {
    if (options.json !== null) write(options.json, `${JSON.stringify(results, null, 1)}\n`);
    // Imported late, so that loading the chart library does not slow down measured requests.
    const { drawChart } = await import('./perf/chart.ts');
    write(options.output, drawChart(results, earlier));
    console.log(`\nChart: ${options.output}`);
  }
  if (statistics.answered < statistics.requests) return 1;
  return run.interrupted && options.from === null ? INTERRUPTED : 0;
}

/** Runs the first stage. Starts the local app if necessary, and stops it afterwards. */
async function ask({ plan, url, port, key }: Options): Promise<Run> {
  const stop = new AbortController();
  const unlisten = onCtrlC(() => stop.abort());
  const startsApp = port !== null && !(await isListening(port));
  if (startsApp) console.error('Starting the local app...');
  const app = startsApp ? await startLocalApp(port, stop.signal) : null;
  const progress = showProgress(process.stderr, plan);
  try {
    return await measure(plan, { url, key, signal: stop.signal, onSample: progress.show });
  } finally {
    progress.end();
    await app?.stop();
    unlisten();
  }
}

const analyse = (run: Run): Results => ({ run, statistics: computeStatistics(run) });

const keptFile = (file: string): string =>
  existsSync(file) ? `${file} was kept as it was.` : 'No chart was drawn.';

function readEarlier(file: string): EarlierResults {
  return { ...readResults('compare', file), name: basename(file) };
}

/** The statistics are computed again, because the file may come from an earlier version. */
function readResults(option: string, file: string): Results {
  try {
    const results = JSON.parse(readFileSync(file, 'utf8')) as Partial<Results>;
    if (!Array.isArray(results.run?.requests) || !results.statistics)
      throw new Error('it was not written by --json');
    return analyse(results.run);
  } catch (error) {
    throw new UsageError(`--${option} ${file} cannot be read: ${(error as Error).message}`, { cause: error });
  }
}

function write(file: string, content: string | Uint8Array): void {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, content);
}
