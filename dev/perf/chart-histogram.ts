/** The lower left panel of the chart: the distribution of the times. */
import type { CustomSeriesRenderItem } from 'echarts';
import { type Panel, valueAxis } from '../chart/render.ts';
import { MUTED } from '../chart/style.ts';
import { chartTime, timeAxis } from './chart-requests.ts';
import { type Group, groupOf, GROUPS, LEFT, LOWER, PLOT_WIDTH } from './chart-style.ts';
import type { Run } from './measure.ts';
import { binEdges, scaleFor } from './scale.ts';

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
    yAxis: valueAxis({ minInterval: 1, splitNumber: 4 }),
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
