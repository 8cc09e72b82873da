/** The third stage of the performance test: a chart of a run and its statistics. */
import type { EChartsOption } from 'echarts';
import type { EarlierResults, Results } from './results.ts';
import { HEIGHT, WIDTH } from './chart-style.ts';
import { heading } from './chart-heading.ts';
import { cachePanel, earlierPanel } from './chart-bars.ts';
import { histogramPanel } from './chart-histogram.ts';
import { type Panel, requestsPanel } from './chart-requests.ts';
import { drawPicture } from './picture.ts';

/** Draws a run that has at least one request, beside an earlier run if there is one. Returns a PNG. */
export function drawChart(results: Results, earlier: EarlierResults | null): Uint8Array {
  const { run, statistics } = results;
  const compared = earlier ? earlierPanel(earlier.statistics, statistics) : cachePanel(statistics);
  const panels = [requestsPanel(run, statistics), histogramPanel(run, compared !== null), compared];
  const option = {
    ...heading(results, earlier, compared !== null),
    ...combine(panels.filter((panel) => panel !== null)),
  };
  return drawPicture(option, WIDTH, HEIGHT);
}

const axes = (index: number): object => ({ xAxisIndex: index, yAxisIndex: index });

/** Gives each panel its own axes. */
function combine(panels: Panel[]): EChartsOption {
  return {
    grid: panels.map(({ grid }) => grid),
    xAxis: panels.map(({ xAxis }, index) => ({ ...xAxis, gridIndex: index })),
    yAxis: panels.map(({ yAxis }, index) => ({ ...yAxis, gridIndex: index })),
    series: panels.flatMap(({ series }, index) => series.map((each) => ({ ...each, ...axes(index) }))),
  };
}
