/** Draws charts as PNG files, without a browser and without the fonts of the system. */
import { createRequire } from 'node:module';
import { Resvg } from '@resvg/resvg-js';
import { type EChartsOption, init } from 'echarts';
import { INK, PAPER, SCALE } from './chart-style.ts';

const require = createRequire(import.meta.url);
const FONT = 'DejaVu Sans';
// Of the project, so that the picture is the same everywhere, and has its letters where no fonts are installed.
const FONT_FILES = ['DejaVuSans.ttf', 'DejaVuSans-Bold.ttf'].map((file) =>
  require.resolve(`dejavu-fonts-ttf/ttf/${file}`),
);

/** Draws what ECharts is told, in a size of its units; gives a PNG that is SCALE times as large. */
export function drawPicture(option: EChartsOption, width: number, height: number): Uint8Array {
  const chart = init(null, null, { renderer: 'svg', ssr: true, width, height });
  chart.setOption({ animation: false, textStyle: { fontFamily: FONT, color: INK }, ...option });
  const svg = chart.renderToSVGString();
  chart.dispose();
  const picture = new Resvg(svg, {
    background: PAPER,
    fitTo: { mode: 'zoom', value: SCALE },
    // The system's fonts are for letters that ours do not have.
    font: { fontFiles: FONT_FILES, loadSystemFonts: true, defaultFontFamily: FONT },
  });
  return picture.render().asPng();
}
