/** The heading of the chart: the description of the run, the key figures, and the titles of the panels. */
import type { EChartsOption, TitleComponentOption } from 'echarts';
import { formatTime } from '../../public/facts.js';
import { INK, LEFT, LOWER, MUTED, PLOT_WIDTH, UPPER } from './chart-style.ts';
import type { Run } from './measure.ts';
import { describePlan, formatFactor, shorten } from './report.ts';
import type { Share, Statistics } from './statistics.ts';

const MARGIN = 40;

/** Titles and key figures. ECharts builds the legend from the names of the series. */
export function heading(run: Run, statistics: Statistics): EChartsOption {
  const figures = keyFigures(statistics);
  const columnWidth = (PLOT_WIDTH + LEFT - MARGIN) / figures.length;
  const { cached, uncached } = statistics;
  return {
    title: [
      titleOf({
        text: `Answer times of “${shorten(run.plan.question, 60)}”`,
        subtext: `${describePlan(run)}\n${run.url}, ${run.started_at.slice(0, 16).replace('T', ' ')} UTC${run.interrupted ? ', stopped early' : ''}`,
        left: MARGIN,
        top: 30,
        textStyle: { fontSize: 24, color: INK },
        subtextStyle: { fontSize: 14, color: MUTED, lineHeight: 21 },
      }),
      ...figures.map(([value, label], index) =>
        titleOf({
          text: value,
          subtext: label,
          left: MARGIN + index * columnWidth,
          top: 132,
          itemGap: 6,
          textStyle: { fontSize: 22, color: INK },
          subtextStyle: { fontSize: 13, color: MUTED },
        }),
      ),
      panelTitle('Each request', MARGIN, UPPER.top),
      panelTitle('Distribution of times', MARGIN, LOWER.top),
      ...(cached && uncached ? [panelTitle('Cached against uncached', 680, LOWER.top)] : []),
    ],
    legend: {
      top: UPPER.top - 46,
      right: MARGIN,
      itemGap: 22,
      itemWidth: 14,
      itemHeight: 14,
      textStyle: { fontSize: 14, color: INK },
    },
  };
}

const titleOf = (title: Partial<TitleComponentOption>): TitleComponentOption => ({
  padding: 0,
  itemGap: 8,
  ...title,
});

const panelTitle = (text: string, left: number, top: number): TitleComponentOption => ({
  text,
  left,
  top: top - 46,
  padding: 0,
  textStyle: { fontSize: 16, color: INK },
});

const percent = ({ rate }: Share): string => `${(100 * rate).toFixed(0)} %`;

function keyFigures(statistics: Statistics): [string, string][] {
  const { client_time: time, cached, uncached, requests, answered } = statistics;
  const compared = cached && uncached;
  const { connection_reuse: reuse, cache_hits: hits } = statistics;
  const figures: ([string, string] | null | false)[] = [
    compared && [formatTime(uncached.p50), 'uncached'],
    compared && [formatTime(cached.p50), 'cached'],
    compared && [formatFactor(uncached.p50 / cached.p50), 'faster, cached'],
    !compared && time && [formatTime(time.p50), 'median'],
    !compared && time && [formatTime(time.p95), '95th percentile'],
    !compared && time && [formatTime(time.max), 'slowest'],
    statistics.time_to_first_token && [formatTime(statistics.time_to_first_token.p50), 'first token'],
    [statistics.requests_per_second.toFixed(1), 'requests/s'],
    reuse && [percent(reuse), 'reused'],
    hits && [percent(hits), 'cache hits'],
    [String(requests - answered), 'failed'],
  ];
  return figures.filter((figure): figure is [string, string] => Array.isArray(figure));
}
