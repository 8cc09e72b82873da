/** The picture of a soak: each figure of the process over time, with the times of the faults behind it. */
import type { EChartsOption } from 'echarts';
import { GROUPS, INK, LINE, MUTED } from '../../dev/perf/chart-style.ts';
import { drawPicture } from '../../dev/perf/picture.ts';
import { FIGURE_NAMES, labelOf } from './growth.ts';
import type { FaultRow, SoakResults } from './report.ts';

const WIDTH = 1200;
const TOP = 130;
const LEFT = 84;
const PANEL = 105;
const GAP = 50;

/** Draws the picture. Returns a PNG. */
export function drawSoak(results: SoakResults): Uint8Array {
  const { samples, faults } = results;
  const figures = FIGURE_NAMES.filter((figure) => samples.some((sample) => sample[figure] !== null));
  const option: EChartsOption = {
    title: [
      heading(results),
      ...figures.map((figure, index) => ({
        text: labelOf(figure),
        left: LEFT - 44,
        top: topOf(index) - 26,
        padding: 0,
        textStyle: { fontSize: 14, color: INK },
      })),
    ],
    grid: figures.map((_, index) => ({ left: LEFT, right: 40, top: topOf(index), height: PANEL })),
    xAxis: figures.map((_, index) => ({
      type: 'value',
      gridIndex: index,
      min: 0,
      max: Math.max(results.duration, samples.at(-1)?.at ?? 0),
      axisLabel: { color: MUTED, formatter: minutes },
      splitLine: { show: false },
    })),
    yAxis: figures.map((_, index) => ({
      type: 'value',
      gridIndex: index,
      scale: true,
      splitNumber: 3,
      axisLabel: { color: MUTED },
      splitLine: { lineStyle: { color: LINE } },
    })),
    series: figures.map((figure, index) => ({
      type: 'line',
      xAxisIndex: index,
      yAxisIndex: index,
      showSymbol: false,
      itemStyle: { color: GROUPS.reused.color },
      lineStyle: { width: 1.5 },
      data: samples.map((sample) => [sample.at, sample[figure]]),
      markArea: {
        silent: true,
        itemStyle: { color: GROUPS.new.color, opacity: 0.15 },
        data: faults.map(areaOf),
      },
    })),
  };
  return drawPicture(option, WIDTH, topOf(figures.length));
}

const topOf = (index: number): number => TOP + index * (PANEL + GAP);

const sum = (counts: Record<string, number>): number =>
  Object.values(counts).reduce((total, count) => total + count, 0);

const areaOf = ({ on, off }: FaultRow): [{ xAxis: number }, { xAxis: number }] => [
  { xAxis: on },
  { xAxis: off },
];

const minutes = (seconds: number): string =>
  `${Math.floor(seconds / 60)}:${String(Math.round(seconds % 60)).padStart(2, '0')}`;

function heading({ started_at: startedAt, duration, requests, violations, seed }: SoakResults) {
  const lines =
    `${sum(requests)} requests in ${minutes(duration)} min, ${sum(violations)} violations; the areas are faults\n` +
    `${startedAt.slice(0, 16).replace('T', ' ')} UTC, seed ${seed}`;
  return {
    text: 'The process of the app under load and faults',
    subtext: lines,
    left: LEFT - 44,
    top: 16,
    padding: 0,
    textStyle: { fontSize: 20, color: INK },
    subtextStyle: { fontSize: 13, color: MUTED, lineHeight: 18 },
  };
}
