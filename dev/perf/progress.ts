/** Shows the progress of the performance test: a bar on a terminal, otherwise a few lines. */
import { clearLine, cursorTo } from 'node:readline';
import type { WriteStream } from 'node:tty';
import { formatTime } from '../../public/measurements/format.ts';
import { KINDS } from '../../public/measurements/kinds.ts';
import type { Sample } from './measure.ts';
import type { Plan } from './options.ts';

const BAR_WIDTH = 30;
/** Limit where the output is not a terminal, without the line of the last request. */
const MAX_LINES = 20;

/** A progress display. */
export interface Progress {
  /** `done` is the completed fraction of the test, 0 to 1. */
  show: (sample: Sample, done: number) => void;
  /** Removes the bar, or writes the last counts. */
  end: () => void;
}

type Output = Pick<WriteStream, 'isTTY' | 'write' | 'columns'>;

/** Creates a progress display that writes to `output`. */
export function showProgress(output: Output, plan: Plan): Progress {
  return output.isTTY ? progressBar(output) : progressLines(output, plan);
}

function progressBar(output: Output): Progress {
  let count = 0;
  let failed = 0;
  return {
    show(sample, done) {
      count++;
      if (sample.error !== null) failed++;
      const part = Math.min(1, done);
      const counts = `${count} asked${failed > 0 ? `, ${failed} failed` : ''}`;
      redraw(output, `${bar(part)} ${percent(part)}  ${counts}  ${describe(sample)}`);
    },
    end: () => redraw(output, ''),
  };
}

/** Writes the counts of all requests so far, at each 20th of the test and at its end. */
function progressLines(output: Output, plan: Plan): Progress {
  const counts = { answered: 0, failed: 0, cached: 0 };
  const planned = plan.duration === null ? ` of ${plan.requests * (plan.test_cache ? 2 : 1)}` : '';
  let lines = 0;
  let written = 0;
  let part = 0;
  const asked = (): number => counts.answered + counts.failed;
  const write = (): void => {
    written = asked();
    const series = plan.test_cache
      ? `; ${written - counts.cached} without the cache, ${counts.cached} with it`
      : '';
    const results = `${counts.answered} answered, ${counts.failed} failed`;
    output.write(`${percent(part)}  ${written}${planned} requests: ${results}${series}\n`);
  };
  return {
    show(sample, done) {
      counts[sample.error === null ? 'answered' : 'failed']++;
      if (sample.cache === 'cached') counts.cached++;
      part = Math.min(1, done);
      if (part * MAX_LINES < lines + 1) return;
      lines = Math.floor(part * MAX_LINES);
      write();
    },
    end: () => asked() > written && write(),
  };
}

function redraw(output: Pick<WriteStream, 'write' | 'columns'>, line: string): void {
  const stream = output as WriteStream;
  cursorTo(stream, 0);
  // A line that wraps could not be overwritten.
  output.write(line.slice(0, (output.columns || 80) - 1));
  clearLine(stream, 1);
}

function bar(part: number): string {
  const full = Math.round(part * BAR_WIDTH);
  return '█'.repeat(full) + '░'.repeat(BAR_WIDTH - full);
}

const percent = (part: number): string => `${Math.floor(100 * part)} %`.padStart(5);

const describe = ({ client_time: time, error, kind }: Sample): string =>
  `${formatTime(time)}, ${error ?? (kind ? KINDS[kind].toLowerCase() : '')}`;
