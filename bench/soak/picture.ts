/** The picture of a soak: each figure of the process over time, with the times of the faults behind it. */
import { MARGIN, panelTitle, render, valueAxis } from '../../dev/chart/render.ts';
import { BLUE, MUTED, ORANGE } from '../../dev/chart/style.ts';
import { FIGURE_NAMES, labelOf } from './growth.ts';
import { type SoakResults, totalOf } from './report.ts';

const LEFT = 84;
const PANEL = 105;
const topOf = (index: number): number => 150 + index * (PANEL + 55);

const minutes = (seconds: number): string =>
  `${Math.floor(seconds / 60)}:${String(Math.round(seconds % 60)).padStart(2, '0')}`;

/** Draws the picture. Returns a PNG. */
export function drawSoak(results: SoakResults, violations: number): Uint8Array {
  const { samples, faults, duration, seed } = results;
  const figures = FIGURE_NAMES.filter((figure) => samples.some((sample) => sample[figure] !== null));
  const max = Math.max(duration, samples.at(-1)?.at ?? 0);
  return render({
    title: 'The process of the app under load and faults',
    description: [
      `${totalOf(results)} requests in ${minutes(duration)} min, ${violations} violations; the areas are faults`,
      `${new Date().toISOString().slice(0, 10)}, seed ${seed}`,
    ],
    width: 1200,
    height: topOf(figures.length),
    titles: figures.map((figure, index) => panelTitle(labelOf(figure), MARGIN, topOf(index) + 16)),
    panels: figures.map((figure, index) => ({
      grid: { left: LEFT, right: MARGIN, top: topOf(index), height: PANEL },
      xAxis: valueAxis({ max, axisLabel: { color: MUTED, formatter: minutes }, splitLine: { show: false } }),
      yAxis: valueAxis({ scale: true, splitNumber: 3 }),
      series: [
        {
          type: 'line',
          showSymbol: false,
          itemStyle: { color: BLUE },
          lineStyle: { width: 1.5 },
          data: samples.map((sample) => [sample.at, sample[figure]]),
          markArea: {
            silent: true,
            itemStyle: { color: ORANGE, opacity: 0.15 },
            data: faults.map(({ on, off }) => [{ xAxis: on }, { xAxis: off }]),
          },
        },
      ],
    })),
  });
}
