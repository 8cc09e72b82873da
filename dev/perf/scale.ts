/** Scales of time axes: linear, or logarithmic when the times differ widely. */

/** Ratio of the largest to the smallest time from which the axis is logarithmic. */
const LOG_FROM = 20;
/** The shortest time that is drawn, in seconds. */
export const LEAST_TIME = 0.0001;
const MAX_TICKS = 10;
const STEPS = 6;

/** The scale of an axis, which starts and ends with a tick. */
export interface Scale {
  type: 'log' | 'value';
  ticks: number[];
  min: number;
  max: number;
}

/** Returns a scale that covers all `times` (seconds, above 0). It does not start at 0, so it is not one for bars. */
export function scaleFor(times: number[]): Scale {
  const [least, most] = [smallest(times), largest(times)];
  return most / least >= LOG_FROM
    ? toScale('log', logTicks(least, most))
    : toScale('value', evenTicks(least, most));
}

/** Returns a linear scale from 0, on which the lengths of bars are proportional to the times. It has about `steps` ticks. */
export const scaleFromZero = (times: number[], steps = STEPS): Scale =>
  toScale('value', evenTicks(0, Math.max(largest(times), LEAST_TIME), steps));

const smallest = (times: number[]): number =>
  times.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY);
const largest = (times: number[]): number => times.reduce((a, b) => Math.max(a, b), 0);

const toScale = (type: Scale['type'], ticks: number[]): Scale => ({
  type,
  ticks,
  min: ticks[0] ?? 0,
  max: ticks.at(-1) ?? 1,
});

/** Returns the edges of `count` bins of equal width on the axis. */
export function binEdges({ type, min, max }: Scale, count: number): number[] {
  const at = (part: number): number =>
    type === 'log' ? min * (max / min) ** part : min + (max - min) * part;
  return Array.from({ length: count + 1 }, (_, index) => at(index / count));
}

/** Ticks at 1, 2 and 5 of each power of ten, or fewer on a long axis. */
function logTicks(least: number, most: number): number[] {
  for (const steps of [[1, 2, 5], [1, 3], [1]]) {
    const all: number[] = [];
    for (let power = -6; power < 5; power++) for (const step of steps) all.push(Number(`${step}e${power}`));
    const first = all.findLastIndex((tick) => tick * 1.1 <= least);
    const last = all.findIndex((tick) => tick >= most * 1.1);
    const ticks = all.slice(Math.max(0, first), last + 1);
    if (ticks.length <= MAX_TICKS || steps.length === 1) return ticks;
  }
  return [];
}

function evenTicks(least: number, most: number, steps = STEPS): number[] {
  // A minimum span: almost equal times would otherwise produce too many ticks.
  const span = Math.max(most - least, most / 100);
  const rough = span / steps;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * ([1, 2, 5].find((each) => each * power >= rough) ?? 10);
  const first = Math.floor(least / step);
  const count = Math.max(1, Math.ceil((most + 0.02 * span) / step) - first);
  return Array.from({ length: count + 1 }, (_, index) => Number(((first + index) * step).toPrecision(12)));
}
