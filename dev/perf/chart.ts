/** The third stage of the performance test: a chart of a run and its statistics. */
import { render } from '../chart/render.ts';
import { cachePanel, earlierPanel } from './chart-bars.ts';
import { description, LEGEND, titles } from './chart-heading.ts';
import { histogramPanel } from './chart-histogram.ts';
import { requestsPanel } from './chart-requests.ts';
import { HEIGHT, WIDTH } from './chart-style.ts';
import { shorten } from './report.ts';
import type { EarlierResults, Results } from './results.ts';

/** Draws a run that has at least one request, beside an earlier run if there is one. Returns a PNG. */
export function drawChart(results: Results, earlier: EarlierResults | null): Uint8Array {
  const { run, statistics } = results;
  const compared = earlier ? earlierPanel(earlier.statistics, statistics) : cachePanel(statistics);
  const panels = [requestsPanel(run, statistics), histogramPanel(run, compared !== null), compared];
  return render({
    title: `Answer times of “${shorten(run.plan.question, 60)}”`,
    description: description(results, earlier),
    width: WIDTH,
    height: HEIGHT,
    panels: panels.filter((panel) => panel !== null),
    titles: titles(results, earlier, compared !== null),
    legend: LEGEND,
  });
}
