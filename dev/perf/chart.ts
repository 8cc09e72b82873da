/** The third stage of the performance test: a picture of a run and its statistics. */
import { createRequire } from 'node:module';
import { Resvg } from '@resvg/resvg-js';
import { type EChartsOption, init } from 'echarts';
import type { Results } from '../perf.ts';
import { HEIGHT, INK, PAPER, SCALE, WIDTH } from './chart-style.ts';
import { heading } from './chart-heading.ts';
import { comparisonPanel, histogramPanel } from './chart-lower.ts';
import { type Panel, requestsPanel } from './chart-requests.ts';

const require = createRequire(import.meta.url);
const FONT = 'DejaVu Sans';
// Of the project, so that the picture is the same everywhere, and has its letters where no fonts are installed.
const FONT_FILES = ['DejaVuSans.ttf', 'DejaVuSans-Bold.ttf'].map((file) =>
  require.resolve(`dejavu-fonts-ttf/ttf/${file}`),
);

/** Draws a run with at least one request; gives a PNG. */
export function drawChart({ run, statistics }: Results): Uint8Array {
  const compared = comparisonPanel(statistics);
  const panels = [requestsPanel(run, statistics), histogramPanel(run, compared !== null), compared];
  const svg = toSvg({ ...heading(run, statistics), ...combine(panels.filter((panel) => panel !== null)) });
  const picture = new Resvg(svg, {
    background: PAPER,
    fitTo: { mode: 'zoom', value: SCALE },
    // The system's fonts are for letters that ours do not have.
    font: { fontFiles: FONT_FILES, loadSystemFonts: true, defaultFontFamily: FONT },
  });
  return picture.render().asPng();
}

const axes = (index: number): object => ({ xAxisIndex: index, yAxisIndex: index });

/** Each panel has axes of its own. */
function combine(panels: Panel[]): EChartsOption {
  return {
    grid: panels.map(({ grid }) => grid),
    xAxis: panels.map(({ xAxis }, index) => ({ ...xAxis, gridIndex: index })),
    yAxis: panels.map(({ yAxis }, index) => ({ ...yAxis, gridIndex: index })),
    series: panels.flatMap(({ series }, index) => series.map((each) => ({ ...each, ...axes(index) }))),
  };
}

function toSvg(option: EChartsOption): string {
  const chart = init(null, null, { renderer: 'svg', ssr: true, width: WIDTH, height: HEIGHT });
  chart.setOption({ animation: false, textStyle: { fontFamily: FONT, color: INK }, ...option });
  const svg = chart.renderToSVGString();
  chart.dispose();
  return svg;
}
