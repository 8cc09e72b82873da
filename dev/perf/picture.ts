/** Renders charts as PNG images, without a browser and independent of the system's fonts. */
import { createRequire } from 'node:module';
import { Resvg } from '@resvg/resvg-js';
import { type EChartsOption, init } from 'echarts';
import { INK, PAPER, SCALE } from './chart-style.ts';

const require = createRequire(import.meta.url);
const FONT = 'DejaVu Sans';
// The project's own fonts, so that the image is the same on every system, also on one without fonts.
const FONT_FILES = ['DejaVuSans.ttf', 'DejaVuSans-Bold.ttf'].map((file) =>
  require.resolve(`dejavu-fonts-ttf/ttf/${file}`),
);

/** Renders a chart of this size in ECharts units. Returns a PNG that is SCALE times as large. */
export function drawPicture(option: EChartsOption, width: number, height: number): Uint8Array {
  const chart = init(null, null, { renderer: 'svg', ssr: true, width, height });
  chart.setOption({ animation: false, textStyle: { fontFamily: FONT, color: INK }, ...option });
  const svg = chart.renderToSVGString();
  chart.dispose();
  const picture = new Resvg(svg, {
    background: PAPER,
    fitTo: { mode: 'zoom', value: SCALE },
    // The system's fonts are the fallback for missing glyphs.
    font: { fontFiles: FONT_FILES, loadSystemFonts: true, defaultFontFamily: FONT },
  });
  return picture.render().asPng();
}
