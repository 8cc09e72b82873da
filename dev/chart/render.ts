/** Renders panels of charts as one PNG image, without a browser and independent of the system's fonts. */
import { createRequire } from 'node:module';
import { Resvg } from '@resvg/resvg-js';
import { type EChartsOption, init, type TitleComponentOption } from 'echarts';
import { INK, LINE, MUTED, PAPER, SCALE } from './style.ts';

/** The ECharts options of one panel, without the indexes of its axes. */
export interface Panel {
  grid: object;
  xAxis: object;
  yAxis: object;
  series: object[];
}

/** A picture: a heading, panels, and the titles of the panels. */
export interface Picture {
  title: string;
  /** Lines below the title. */
  description: string[];
  /** Size in ECharts units. */
  width: number;
  height: number;
  panels: Panel[];
  titles?: TitleComponentOption[];
  legend?: object;
}

/** A row of bars, from 0. */
export interface BarRow {
  name: string;
  bars: { value: number; text: string; color: string }[];
}

/** The left edge of headings and of titles of panels. */
export const MARGIN = 40;
const require = createRequire(import.meta.url);
const FONT = 'DejaVu Sans';
// The project's own fonts, so that the image is the same on every system, also on one without fonts.
const FONT_FILES = ['DejaVuSans.ttf', 'DejaVuSans-Bold.ttf'].map((file) =>
  require.resolve(`dejavu-fonts-ttf/ttf/${file}`),
);

/** Renders a picture. Returns a PNG that is SCALE times as large. */
export function render({
  title,
  description,
  width,
  height,
  panels,
  titles = [],
  legend,
}: Picture): Uint8Array {
  const chart = init(null, null, { renderer: 'svg', ssr: true, width, height });
  const option: EChartsOption = {
    animation: false,
    textStyle: { fontFamily: FONT, color: INK },
    title: [headingOf(title, description), ...titles],
    ...(legend && { legend }),
    grid: panels.map(({ grid }) => grid),
    xAxis: panels.map(({ xAxis }, index) => ({ ...xAxis, gridIndex: index })),
    yAxis: panels.map(({ yAxis }, index) => ({ ...yAxis, gridIndex: index })),
    series: panels.flatMap(({ series }, index) =>
      series.map((each) => ({ ...each, xAxisIndex: index, yAxisIndex: index })),
    ),
  };
  chart.setOption(option);
  const svg = chart.renderToSVGString();
  chart.dispose();
  const image = new Resvg(svg, {
    background: PAPER,
    fitTo: { mode: 'zoom', value: SCALE },
    // The system's fonts are the fallback for missing glyphs.
    font: { fontFiles: FONT_FILES, loadSystemFonts: true, defaultFontFamily: FONT },
  });
  return image.render().asPng();
}

const headingOf = (text: string, lines: string[]): TitleComponentOption =>
  titleOf({
    text,
    subtext: lines.join('\n'),
    left: MARGIN,
    top: 26,
    textStyle: { fontSize: 24, color: INK },
    subtextStyle: { fontSize: 14, color: MUTED, lineHeight: 20 },
  });

/** A title without the usual padding. */
export const titleOf = (title: TitleComponentOption): TitleComponentOption => ({
  padding: 0,
  itemGap: 8,
  ...title,
});

/** The title of a panel whose grid begins at `top`. */
export const panelTitle = (text: string, left: number, top: number): TitleComponentOption =>
  titleOf({ text, left, top: top - 46, textStyle: { fontSize: 16, color: INK } });

/** Horizontal bars, as many for each row as the first one has. */
export function barPanel(grid: object, xAxis: object, rows: BarRow[]): Panel {
  return {
    grid,
    xAxis,
    yAxis: {
      type: 'category',
      inverse: true,
      data: rows.map(({ name }) => name),
      axisTick: { show: false },
      axisLine: { lineStyle: { color: MUTED } },
      axisLabel: { fontSize: 13, color: MUTED, lineHeight: 17 },
    },
    series: (rows[0]?.bars ?? []).map((_, index) => ({
      type: 'bar',
      barMaxWidth: 22,
      barGap: '10%',
      barCategoryGap: '26%',
      label: { show: true, position: 'right', fontSize: 12, color: INK },
      data: rows.map(({ bars }) => ({
        value: bars[index]?.value,
        label: { formatter: bars[index]?.text },
        itemStyle: { color: bars[index]?.color, borderRadius: [0, 3, 3, 0] },
      })),
    })),
  };
}

/** An axis of numbers with thin lines. */
export const valueAxis = (more: object = {}): object => ({
  type: 'value',
  axisLabel: { fontSize: 13, color: MUTED },
  splitLine: { lineStyle: { color: LINE } },
  ...more,
});
