/** The lower right panel of the chart: two bars for each summary, from the earlier run or from the cache. */
import { formatTime } from '../../public/measurements/format.ts';
import { barPanel, type Panel } from '../chart/render.ts';
import { GREY } from '../chart/style.ts';
import { timeAxis } from './chart-requests.ts';
import { COMPARED, GROUPS, LOWER } from './chart-style.ts';
import { formatFactor } from './report.ts';
import { scaleFromZero } from './scale.ts';
import type { Statistics } from './statistics.ts';

/** Bars with the times of cached and uncached answers; null when either is missing. */
export function cachePanel({ cached, uncached }: Statistics): Panel | null {
  if (!cached || !uncached) return null;
  const rows = [
    pairOf('median', uncached.p50, cached.p50),
    pairOf('p95', uncached.p95, cached.p95),
    pairOf('slowest', uncached.max, cached.max),
  ];
  return pairPanel(rows, [GROUPS.reused.color, GROUPS.cached.color], formatTime);
}

/** Bars with the times of the earlier run and of this one; null when nothing was measured in both. */
export function earlierPanel(earlier: Statistics, now: Statistics): Panel | null {
  const summaries = [earlier, now].some(usesCache) ? BY_CACHE : TOGETHER;
  const rows = [
    ...summaries.flatMap(([label, name]) => [
      pairOf(`${label}median`, earlier[name]?.p50, now[name]?.p50),
      pairOf(`${label}p95`, earlier[name]?.p95, now[name]?.p95),
      label === '' ? pairOf('slowest', earlier[name]?.max, now[name]?.max) : null,
    ]),
    pairOf('model, median', earlier.model_time?.p50, now.model_time?.p50),
    pairOf('first token, median', earlier.time_to_first_token?.p50, now.time_to_first_token?.p50),
  ];
  return pairPanel(
    rows,
    [GREY, GROUPS.reused.color],
    (time, before) => `${formatTime(time)} (${formatFactor(time / before)})`,
  );
}

type Summaries = [label: string, name: 'client_time' | 'cached' | 'uncached'][];
const TOGETHER: Summaries = [['', 'client_time']];
/** The client times of a run with and without the cache are a mixture, which cannot be compared. */
const BY_CACHE: Summaries = [
  ['uncached, ', 'uncached'],
  ['cached, ', 'cached'],
];

const usesCache = ({ cached, uncached }: Statistics): boolean => cached !== null && uncached !== null;

/** A name with two times. */
type Pair = [string, number, number];
type Optional = number | null | undefined;

const pairOf = (name: string, first: Optional, second: Optional): Pair | null =>
  typeof first === 'number' && typeof second === 'number' ? [name, first, second] : null;

/** Bars for each pair. `labelOf` returns the label of the second bar. */
function pairPanel(
  rows: (Pair | null)[],
  [firstColor, secondColor]: [string, string],
  labelOf: (second: number, first: number) => string,
): Panel | null {
  const pairs = rows.filter((row) => row !== null);
  if (pairs.length === 0) return null;
  const scale = scaleFromZero(
    pairs.flatMap(([, ...times]) => times),
    3,
  );
  return barPanel(
    { left: COMPARED.left + COMPARED.labels, width: COMPARED.width, ...LOWER },
    timeAxis(scale),
    pairs.map(([name, first, second]) => ({
      name,
      bars: [
        { value: first, text: formatTime(first), color: firstColor },
        { value: second, text: labelOf(second, first), color: secondColor },
      ],
    })),
  );
}
