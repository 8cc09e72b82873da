/** The heading of the chart: the description of the run, the key figures, and the titles of the panels. */
import type { TitleComponentOption } from 'echarts';
import { formatTime } from '../../public/measurements/format.ts';
import { MARGIN, panelTitle, titleOf } from '../chart/render.ts';
import { GREY, INK, MUTED } from '../chart/style.ts';
import { COMPARED, GROUPS, LEFT, LOWER, PLOT_WIDTH, UPPER } from './chart-style.ts';
import { describePlan, formatFactor, shorten } from './report.ts';
import type { EarlierResults, Results } from './results.ts';
import type { Share, Statistics } from './statistics.ts';

/** A longer line would leave the picture. */
const LINE_LENGTH = 130;

/** Describes the run, and the earlier one. */
export function description({ run }: Results, earlier: EarlierResults | null): string[] {
  const lines = [
    describePlan(run),
    `${run.url}, ${minuteOf(run.started_at)}${run.interrupted ? ', stopped early' : ''}`,
    ...(earlier
      ? [`Earlier: ${nameOf(earlier)}, ${minuteOf(earlier.run.started_at)}, ${describePlan(earlier.run)}`]
      : []),
  ];
  return lines.map((line) => shorten(line, LINE_LENGTH));
}

/** Key figures, and the titles of the panels. */
export const titles = (
  { statistics }: Results,
  earlier: EarlierResults | null,
  compares: boolean,
): TitleComponentOption[] => [
  ...figureTitles(statistics, earlier?.statistics ?? null),
  panelTitle('Each request', MARGIN, UPPER.top),
  panelTitle('Distribution of times', MARGIN, LOWER.top),
  ...(compares ? comparisonTitles(earlier) : []),
];

/** ECharts builds it from the names of the series. */
export const LEGEND = {
  top: UPPER.top - 46,
  right: MARGIN,
  itemGap: 22,
  itemWidth: 14,
  itemHeight: 14,
  textStyle: { fontSize: 14, color: INK },
};

const minuteOf = (time: string): string => `${time.slice(0, 16).replace('T', ' ')} UTC`;
const nameOf = ({ name }: EarlierResults): string => shorten(name, 28);

/** The key figures, with those of the earlier run below. */
function figureTitles(statistics: Statistics, earlier: Statistics | null): TitleComponentOption[] {
  const figures = keyFigures(statistics);
  const before = new Map(earlier ? keyFigures(earlier).map(([value, label]) => [label, value]) : []);
  const columnWidth = (PLOT_WIDTH + LEFT - MARGIN) / figures.length;
  return figures.map(([value, label], index) =>
    titleOf({
      text: value,
      subtext: [label, ...(before.has(label) ? [`earlier ${before.get(label)}`] : [])].join('\n'),
      left: MARGIN + index * columnWidth,
      top: 136,
      itemGap: 6,
      textStyle: { fontSize: 22, color: INK },
      subtextStyle: { fontSize: 13, color: MUTED, lineHeight: 18 },
    }),
  );
}

function comparisonTitles(earlier: EarlierResults | null): TitleComponentOption[] {
  const [title, first, second] = earlier
    ? [
        'This run and the earlier one',
        [GREY, `earlier (${nameOf(earlier)})`],
        [GROUPS.reused.color, 'this run'],
      ]
    : ['Uncached and cached', [GROUPS.reused.color, 'uncached'], [GROUPS.cached.color, 'cached']];
  return [
    panelTitle(title, COMPARED.left, LOWER.top),
    titleOf({
      text: `{first|■} ${first[1]}   {second|■} ${second[1]}`,
      left: COMPARED.left,
      top: LOWER.top - 22,
      textStyle: {
        fontSize: 13,
        fontWeight: 'normal',
        color: INK,
        rich: { first: square(first[0]), second: square(second[0]) },
      },
    }),
  ];
}

const square = (color = ''): object => ({ fontSize: 16, color });

const percent = ({ rate }: Share): string => `${(100 * rate).toFixed(0)} %`;

function keyFigures(statistics: Statistics): [string, string][] {
  const { client_time: time, cached, uncached, requests, answered } = statistics;
  const compared = cached && uncached;
  const { connection_reuse: reuse, cache_hits: hits } = statistics;
  const figures: ([string, string] | null | false)[] = [
    compared && [formatTime(uncached.p50), 'uncached, median'],
    compared && [formatTime(cached.p50), 'cached, median'],
    compared && [formatFactor(uncached.p50 / cached.p50), 'faster, cached'],
    !compared && time && [formatTime(time.p50), 'median'],
    !compared && time && time.p95 !== null && [formatTime(time.p95), '95th percentile'],
    !compared && time && [formatTime(time.max), 'slowest'],
    statistics.time_to_first_token && [formatTime(statistics.time_to_first_token.p50), 'first token, median'],
    [statistics.requests_per_second.toFixed(1), 'requests/s'],
    reuse && [percent(reuse), 'reused'],
    hits && [percent(hits), 'cache hits'],
    [String(requests - answered), 'failed'],
  ];
  return figures.filter((figure): figure is [string, string] => Array.isArray(figure));
}
