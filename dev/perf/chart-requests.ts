/** The upper panel of the chart: every request, in the order of sending. */
import { formatTime } from '../../public/measurements/format.ts';
import type { Panel } from '../chart/render.ts';
import { INK, LINE, MUTED } from '../chart/style.ts';
import { type Group, groupOf, GROUPS, LEFT, PLOT_WIDTH, UPPER } from './chart-style.ts';
import type { Run, Sample } from './measure.ts';
import { LEAST_TIME, type Scale, scaleFor, scaleFromZero } from './scale.ts';
import type { Statistics } from './statistics.ts';

/** More requests than this are drawn as points, and so are times on a logarithmic axis. */
const MAX_BARS = 60;
/** Overlapping points are drawn once: one point for each cell of about one pixel. */
const CELLS = { across: 1000, up: 300 };

/** Draws a bar or a point for each request. */
export function requestsPanel({ requests }: Run, statistics: Statistics): Panel {
  const firstTokens = requests.flatMap(({ time_to_first_token: time }, index): [number, number][] =>
    time === null ? [] : [[index + 1, Math.max(time, LEAST_TIME)]],
  );
  const times = [...requests.map(chartTime), ...firstTokens.map(([, time]) => time)];
  const fitting = scaleFor(times);
  const scale = fitting.type === 'log' ? fitting : scaleFromZero(times);
  const count = requests.length;
  const series = (Object.keys(GROUPS) as Group[]).flatMap((group) => {
    const all = requests.flatMap((sample, index): [number, number][] =>
      groupOf(sample) === group ? [[index + 1, chartTime(sample)]] : [],
    );
    return all.length === 0 ? [] : [groupSeries(group, all, count, scale)];
  });
  if (firstTokens.length > 0) series.push(firstTokenSeries(firstTokens, count, scale));
  Object.assign(series[0] ?? {}, { markLine: medians(statistics) });
  return {
    grid: { left: LEFT, width: PLOT_WIDTH, ...UPPER },
    xAxis: {
      type: 'value',
      min: 0.5,
      max: count + 0.5,
      name: 'request',
      nameLocation: 'middle',
      nameGap: 30,
      nameTextStyle: { fontSize: 13, color: MUTED },
      axisTick: { show: false },
      axisLine: { onZero: false, lineStyle: { color: MUTED } },
      axisLabel: { fontSize: 13, color: MUTED, customValues: requestTicks(count) },
      splitLine: { show: false },
    },
    yAxis: timeAxis(scale),
    series,
  };
}

/** An axis of times with its labels and lines. */
export function timeAxis({ type, ticks, min, max }: Scale): object {
  return {
    type,
    min,
    max,
    axisLine: { show: false },
    axisTick: { show: false, customValues: ticks },
    axisLabel: { fontSize: 13, color: MUTED, formatter: formatterOf(type, ticks), customValues: ticks },
    splitLine: { lineStyle: { color: LINE } },
  };
}

/** On a linear axis, all labels have the unit and the decimals that its step needs. */
function formatterOf(type: Scale['type'], ticks: number[]): (seconds: number) => string {
  if (type === 'log') return formatTime;
  const [first = 0, second = 1] = ticks;
  const inSeconds = (ticks.at(-1) ?? 0) >= 1;
  const factor = inSeconds ? 1 : 1000;
  const decimals = Math.max(0, -Math.floor(Math.log10(factor * (second - first)) + 1e-9));
  return (seconds) => `${(factor * seconds).toFixed(decimals)}\u00a0${inSeconds ? 's' : 'ms'}`;
}

/** A request's time, not 0 because a logarithmic axis has no 0. */
export const chartTime = ({ client_time: time }: Sample): number => Math.max(time, LEAST_TIME);

function groupSeries(group: Group, points: [number, number][], count: number, scale: Scale): object {
  const { name, color, symbol } = GROUPS[group];
  const label = `${name} (${points.length})`;
  // A logarithmic axis has no 0, so that the lengths of bars would mean nothing.
  if (count <= MAX_BARS && scale.type === 'value' && group !== 'failed') {
    const barWidth = Math.min(64, (0.7 * PLOT_WIDTH) / count);
    return {
      type: 'bar',
      name: label,
      data: points,
      barWidth,
      barGap: '-100%',
      itemStyle: { color, borderRadius: [3, 3, 0, 0] },
    };
  }
  const rare = group === 'failed' || group === 'cold' || group === 'new';
  const symbolSize = count > 1000 ? (rare ? 8 : 4) : rare || count <= MAX_BARS ? 11 : 8;
  const itemStyle = { color, opacity: rare || count <= 300 ? 0.9 : 0.5 };
  return {
    type: 'scatter',
    name: label,
    data: thin(points, count, scale),
    symbol,
    symbolSize,
    itemStyle,
    clip: false,
  };
}

/** A line across each bar, or beside each point, where the first token of a stream came. */
const firstTokenSeries = (points: [number, number][], count: number, scale: Scale): object => ({
  type: 'scatter',
  name: 'First token',
  data: thin(points, count, scale),
  symbol: 'rect',
  symbolSize: count <= MAX_BARS ? [Math.min(64, (0.7 * PLOT_WIDTH) / count), 3] : [4, 2],
  itemStyle: { color: INK },
  clip: false,
  z: 3,
});

function thin(points: [number, number][], count: number, { min, max, type }: Scale): [number, number][] {
  const part = (time: number): number =>
    type === 'log' ? Math.log(time / min) / Math.log(max / min) : (time - min) / (max - min);
  const cells = new Map<number, [number, number]>();
  for (const point of points) {
    const column = Math.round((point[0] / count) * CELLS.across);
    const cell = column * (CELLS.up + 1) + Math.round(part(point[1]) * CELLS.up);
    if (!cells.has(cell)) cells.set(cell, point);
  }
  return [...cells.values()];
}

/**
 * Lines with labels at the right. The upper label is above its line, the lower label below, so that they do not
 * overlap.
 */
function medians({ client_time: time, cached, uncached }: Statistics): object {
  type Named = [string, number] | null;
  const upper: Named =
    cached && uncached ? ['uncached', uncached.p50] : time && time.p95 !== null ? ['p95', time.p95] : null;
  const lower: Named = cached && uncached ? ['cached', cached.p50] : time && ['median', time.p50];
  return {
    symbol: 'none',
    // The default precision rounds the position to a hundredth of a second.
    precision: 9,
    silent: true,
    lineStyle: { color: INK, type: 'dashed', width: 1, opacity: 0.6 },
    label: { position: 'end', fontSize: 12, color: INK },
    data: [upper && lineAt(upper, -8), lower && lineAt(lower, 8)].filter((line) => line !== null),
  };
}

const lineAt = ([name, time]: [string, number], offset: number): object => ({
  yAxis: time,
  label: { formatter: `${name} ${formatTime(time)}`, offset: [0, offset] },
});

/** The first request and about ten round numbers. */
function requestTicks(count: number): number[] {
  const rough = Math.max(1, count / 10);
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * ([1, 2, 5, 10].find((each) => each * power >= rough) ?? 10);
  const ticks = step === 1 ? [] : [1];
  for (let tick = step; tick <= count; tick += step) ticks.push(tick);
  return ticks;
}
