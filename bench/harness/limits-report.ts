/** Judges the results of `npm run bench:limits` and prints them as tables. */
import type { Level, Overload } from '../parts/overload.ts';
import type { OpenStreams } from '../parts/open-streams.ts';

/** The targets: share of the peak, milliseconds, and the memory of the smallest instance of Flex Consumption. */
const TARGETS = { goodput: 0.8, refusalMs: 100, memoryMb: 512, recoveryMs: 5000 };

/** All results of one run. */
export interface LimitsResults {
  measured_at: string;
  node: string;
  cores: number;
  /** Processes that wanted a core in the minute before the run: above the number of cores, others took the CPU. */
  load_average: number;
  overloads: Overload[];
  streams: OpenStreams | null;
}

/** Returns what a level misses, in words; empty when it meets all targets. */
function missesOf({ peak }: Overload, level: Level): string[] {
  const misses: string[] = [];
  if (level.goodput < TARGETS.goodput * peak.goodput) misses.push('goodput');
  if (level.undocumented > 0) misses.push(`${level.undocumented} undocumented`);
  if ((level.refusalTimes?.p99 ?? 0) > TARGETS.refusalMs) misses.push('refusal time');
  if (level.peakMb > TARGETS.memoryMb) misses.push('memory');
  if (level.recoveryMs === null || level.recoveryMs > TARGETS.recoveryMs) misses.push('recovery');
  return misses;
}

const HEADINGS = [
  'load',
  'sent/s',
  'answers/s',
  'of peak',
  'answer p50/p99',
  'refusals',
  'refusal p50/p99',
  'unstored',
  'cached',
  'MB',
  'recovery',
  'missed',
];

/** Formats a scenario as a Markdown table. */
export function formatOverload(result: Overload): string {
  const { scenario, peak, levels, modelRate } = result;
  const rows = levels.map((level) => [
    `${level.factor}x`,
    level.offered.toFixed(0) + (level.unsent > 0 ? ` (${level.unsent} not sent)` : ''),
    level.goodput.toFixed(0),
    `${((100 * level.goodput) / peak.goodput).toFixed(0)} %`,
    timesOf(level.answerTimes),
    Object.entries(level.refusals)
      .map(([name, count]) => `${count} x ${name}`)
      .join(', ') || 'none',
    timesOf(level.refusalTimes),
    String(level.unstored),
    `${level.probes.answered}/${level.probes.asked}`,
    level.peakMb.toFixed(0),
    level.recoveryMs === null ? 'none' : `${(level.recoveryMs / 1000).toFixed(1)} s`,
    missesOf(result, level).join(', ') || 'none',
  ]);
  const late = Math.max(0, ...levels.map(({ lateMs }) => lateMs));
  return [
    `${scenario}: peak ${peak.goodput.toFixed(0)} answers/s, p50 ${peak.p50.toFixed(0)} ms, ${peak.peakMb.toFixed(0)} MB`,
    ...(modelRate !== null && peak.goodput < 0.8 * modelRate
      ? [`The model allows ${modelRate} answers/s: the CPU of this machine was the limit.`]
      : []),
    '',
    line(HEADINGS),
    line(HEADINGS.map(() => '---')),
    ...rows.map(line),
    '',
    `Times in milliseconds. The load generator was at most ${late.toFixed(0)} ms late; this is part of the times.`,
  ].join('\n');
}

const line = (cells: string[]): string => `| ${cells.join(' | ')} |`;

const timesOf = (times: Level['answerTimes']): string =>
  times ? `${times.p50.toFixed(0)}/${(times.p99 ?? times.max).toFixed(0)}` : '';

/** Formats the result of the streams. */
export function formatStreams(streams: OpenStreams): string {
  const { asked, openAtOnce, completed, refused, slowestRefusalMs, broken, beforeMb, peakMb } = streams;
  const refusals = Object.entries(refused).map(([name, count]) => `${count} x ${name}`);
  return (
    `${asked} streams asked: ${openAtOnce} open at once, ${completed} completed, refused: ${refusals.join(', ') || 'none'} ` +
    `(the slowest after ${slowestRefusalMs.toFixed(0)} ms), broken: ${broken}; ${beforeMb.toFixed(0)} MB before, ` +
    `${peakMb.toFixed(0)} MB at most`
  );
}
