/** Shows the progress of the performance test: a bar on a terminal, otherwise a few lines. */
import { clearLine, cursorTo } from 'node:readline';
import type { WriteStream } from 'node:tty';
import { formatTime, KINDS } from '../../public/facts.js';
import type { Sample } from './measure.ts';

const BAR_WIDTH = 30;
/** Limit where the output is not a terminal. */
const MAX_LINES = 20;

/** A progress display. */
export interface Progress {
  /** `done` is the completed fraction of the test, 0 to 1. */
  show: (sample: Sample, done: number) => void;
  /** Removes the bar. */
  end: () => void;
}

/** Creates a progress display that writes to `output`. */
export function showProgress(output: Pick<WriteStream, 'isTTY' | 'write' | 'columns'>): Progress {
  let count = 0;
  let failed = 0;
  let lines = 0;
  return {
    show(sample, done) {
      count++;
      if (sample.error !== null) failed++;
      const part = Math.min(1, done);
      const percent = `${Math.floor(100 * part)} %`.padStart(5);
      const line = `${percent}  ${count} asked${failed > 0 ? `, ${failed} failed` : ''}  ${describe(sample)}`;
      if (output.isTTY) {
        redraw(output, `${bar(part)} ${line}`);
      } else if (part * MAX_LINES >= lines + 1) {
        lines = Math.floor(part * MAX_LINES);
        output.write(`${line}\n`);
      }
    },
    end: () => output.isTTY && redraw(output, ''),
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

const describe = ({ client_time: time, error, kind }: Sample): string =>
  `${formatTime(time)}, ${error ?? (kind ? KINDS[kind].toLowerCase() : '')}`;
