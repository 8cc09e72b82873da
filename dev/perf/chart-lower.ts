/** The lower panels of the chart: the distribution of the times, and a comparison of their summaries. */
import type { CustomSeriesRenderItem } from 'echarts';
import { formatTime } from '../../public/facts.js';
import { chartTime, type Panel, timeAxis } from './chart-requests.ts';
import {
  COMPARED,
  EARLIER,
  type Group,
  groupOf,
  GROUPS,
  INK,
  LEFT,
  LINE,
  LOWER,
  MUTED,
  PLOT_WIDTH,
} from './chart-style.ts';
import type { Run } from './measure.ts';
import { formatFactor } from './report.ts';
import { binEdges, scaleFor, scaleFromZero } from './scale.ts';
import type { Statistics } from './statistics.ts';

const HALF_WIDTH = 480;
const MAX_BINS = 60;

/** A histogram with bars stacked by kind of answer. `half` leaves room for the comparison panel. */
export function histogramPanel({ requests }: Run, half: boolean): Panel {
  const times = requests.map(chartTime);
  const scale = scaleFor(times);
  const edges = binEdges(scale, Math.max(12, Math.min(MAX_BINS, Math.round(3 * Math.sqrt(times.length)))));
  const bars: { value: number[]; group: Group }[] = [];
  const heights = new Map<number, number>();
  for (const group of Object.keys(GROUPS) as Group[]) {
    const own = requests.filter((sample) => groupOf(sample) === group).map(chartTime);
    for (const [bin, count] of countBins(own, edges)) {
      const from = heights.get(bin) ?? 0;
      heights.set(bin, from + count);
      bars.push({ group, value: [edges[bin] ?? 0, edges[bin + 1] ?? 0, from, from + count] });
    }
  }
  return {
    grid: { left: LEFT, width: half ? HALF_WIDTH : PLOT_WIDTH, ...LOWER },
    xAxis: {
      ...timeAxis(scale),
      axisLine: { show: true, onZero: false, lineStyle: { color: MUTED } },
      splitLine: { show: false },
    },
    yAxis: {
      type: 'value',
      minInterval: 1,
      splitNumber: 4,
      axisLabel: { fontSize: 13, color: MUTED },
      splitLine: { lineStyle: { color: LINE } },
    },
    series: [
      {
        type: 'custom',
        data: bars.map(({ value, group }) => ({ value, itemStyle: { color: GROUPS[group].color } })),
        encode: { x: [0, 1], y: [2, 3] },
        renderItem: drawBar,
      },
    ],
  };
}

/** Counts the times in each bin; empty bins are left out. */
function countBins(times: number[], edges: number[]): Map<number, number> {
  const counts = new Map<number, number>();
  for (const time of times) {
    const found = edges.findIndex((edge) => edge > time) - 1;
    // The last bin includes its upper edge.
    const bin = found < 0 ? edges.length - 2 : found;
    counts.set(bin, (counts.get(bin) ?? 0) + 1);
  }
  return counts;
}

const drawBar: CustomSeriesRenderItem = (_, api) => {
  const [left = 0, top = 0] = api.coord([api.value(0), api.value(3)]);
  const [right = 0, bottom = 0] = api.coord([api.value(1), api.value(2)]);
  return {
    type: 'rect',
    shape: { x: left + 0.5, y: top, width: Math.max(1, right - left - 1), height: bottom - top },
    style: { fill: api.visual('color') as string },
  };
};

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
  // Client times of a run with and without the cache are a mixture, which cannot be compared.
  const hasBoth = ({ cached, uncached }: Statistics): boolean => cached !== null && uncached !== null;
  const summaries: [string, keyof Statistics & ('client_time' | 'cached' | 'uncached')][] =
    hasBoth(earlier) || hasBoth(now)
      ? [
          ['uncached, ', 'uncached'],
          ['cached, ', 'cached'],
        ]
      : [['', 'client_time']];
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
    (now, before) => `${formatTime(now)} (${formatFactor(now / before)})`,
  );
}

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
  const bars = (color: string, times: { value: number; text: string }[]): object => ({
    type: 'bar',
    barMaxWidth: 22,
    barGap: '10%',
    barCategoryGap: '26%',
    itemStyle: { color, borderRadius: [0, 3, 3, 0] },
    label: { show: true, position: 'right', fontSize: 12, color: INK },
    data: times.map(({ value, text }) => ({ value, label: { formatter: text } })),
  });
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
      bars(
        first,
        pairs.map(([, value]) => ({ value, text: formatTime(value) })),
      ),
      bars(
        second,
        pairs.map(([, before, value]) => ({ value, text: labelOf(value, before) })),
      ),
    ],
  };
}
