/** The lower right panel of the chart: two bars for each summary, from the earlier run or from the cache. */
import { formatTime } from '../../public/measurements/format.ts';
import { type Panel, timeAxis } from './chart-requests.ts';
import { COMPARED, EARLIER, GROUPS, INK, LOWER, MUTED } from './chart-style.ts';
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
  return barPanel(rows, [GROUPS.reused.color, GROUPS.cached.color], formatTime);
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
  return barPanel(
    rows,
    [EARLIER, GROUPS.reused.color],
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

/** Horizontal bars from 0, two for each row. `labelOf` returns the label of the second bar. */
function barPanel(
  rows: (Pair | null)[],
  [first, second]: [string, string],
  labelOf: (second: number, first: number) => string,
): Panel | null {
  const pairs = rows.filter((row) => row !== null);
  if (pairs.length === 0) return null;
  const scale = scaleFromZero(
    pairs.flatMap(([, ...times]) => times),
    3,
  );
  return {
    grid: { left: COMPARED.left + COMPARED.labels, width: COMPARED.width, ...LOWER },
    xAxis: timeAxis(scale),
    yAxis: {
      type: 'category',
      inverse: true,
      data: pairs.map(([name]) => name),
      axisTick: { show: false },
      axisLine: { lineStyle: { color: MUTED } },
      axisLabel: { fontSize: 13, color: MUTED },
    },
    series: [
      barSeries(
        first,
        pairs.map(([, value]) => ({ value, text: formatTime(value) })),
      ),
      barSeries(
        second,
        pairs.map(([, before, value]) => ({ value, text: labelOf(value, before) })),
      ),
    ],
  };
}

const barSeries = (color: string, bars: { value: number; text: string }[]): object => ({
  type: 'bar',
  barMaxWidth: 22,
  barGap: '10%',
  barCategoryGap: '26%',
  itemStyle: { color, borderRadius: [0, 3, 3, 0] },
  label: { show: true, position: 'right', fontSize: 12, color: INK },
  data: bars.map(({ value, text }) => ({ value, label: { formatter: text } })),
});
