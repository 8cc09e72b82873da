/** Scales of time axes: linear, or logarithmic when the times differ widely. */

/** Ratio of the largest to the smallest time from which the axis is logarithmic. */
const LOG_FROM = 20;
const MAX_TICKS = 10;

/** The scale of an axis, which starts and ends with a tick. */
export interface Scale {
  type: 'log' | 'value';
  ticks: number[];
  min: number;
  max: number;
}

/** Returns a scale that covers all `times` (seconds, above 0). With `fromZero` a linear scale starts at 0. */
export function scaleFor(times: number[], fromZero: boolean): Scale {
  const least = times.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY);
  const most = times.reduce((a, b) => Math.max(a, b), 0);
  const ticks = most / least >= LOG_FROM ? logTicks(least, most) : evenTicks(fromZero ? 0 : least, most);
  const [min = 0, max = 1] = [ticks[0], ticks.at(-1)];
  return { type: most / least >= LOG_FROM ? 'log' : 'value', ticks, min, max };
}

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

function evenTicks(least: number, most: number): number[] {
  // A minimum span: almost equal times would otherwise produce too many ticks.
  const span = Math.max(most - least, most / 100);
  const rough = span / 6;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * ([1, 2, 5].find((each) => each * power >= rough) ?? 10);
  const first = Math.floor(least / step);
  const count = Math.max(1, Math.ceil((most + 0.02 * span) / step) - first);
  return Array.from({ length: count + 1 }, (_, index) => Number(((first + index) * step).toPrecision(12)));
}
