/** Draws times as a bar chart. */
import { svgElement } from '../parts/dom.ts';
import { formatTime } from './format.ts';
import { type Kind, KINDS } from './kinds.ts';

/** The total time of an answer. */
export interface Sample {
  kind: Kind;
  seconds: number;
}

const WIDTH = 320;
const HEIGHT = 152;
const LEFT = 44;
const TOP = 8;
const BOTTOM = 144;
/** Limits the width of few bars. */
const MIN_SLOTS = 16;
/** The scale starts at 1 ms: cached answers and cold starts differ by three powers of ten. */
const LOWEST = -3;

/** Draws a bar for each sample, newest at the right, on a logarithmic scale. */
export function chart(samples: readonly Sample[]): SVGElement {
  const longest = Math.max(...samples.map(({ seconds }) => seconds));
  const highest = Math.max(0, Math.ceil(Math.log10(longest)));
  const y = (seconds: number) => {
    const part = (Math.log10(Math.max(seconds, 10 ** LOWEST)) - LOWEST) / (highest - LOWEST);
    return BOTTOM - part * (BOTTOM - TOP);
  };
  const slot = (WIDTH - LEFT) / Math.max(MIN_SLOTS, samples.length);
  const bars = samples.map(({ kind, seconds }, index) => {
    const top = Math.min(y(seconds), BOTTOM - 3);
    const box = { x: LEFT + index * slot + slot * 0.14, y: top, width: slot * 0.72, height: BOTTOM - top };
    const title = `${KINDS[kind]}: ${formatTime(seconds)}`;
    return svgElement('rect', { class: kind, rx: 1.5, ...box }, svgElement('title', {}, title));
  });
  const lines = Array.from({ length: highest - LOWEST + 1 }, (_, index) =>
    gridLine(10 ** (LOWEST + index), y),
  );
  const label = `Bars of ${samples.length} answer times, the longest ${formatTime(longest)}. The table below sums them up.`;
  return svgElement(
    'svg',
    { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: 'img', 'aria-label': label },
    ...lines,
    ...bars,
  );
}

function gridLine(seconds: number, y: (seconds: number) => number): SVGElement {
  const at = y(seconds);
  return svgElement(
    'g',
    {},
    svgElement('line', { x1: LEFT, x2: WIDTH, y1: at, y2: at }),
    svgElement('text', { x: LEFT - 8, y: at + 3.5, 'text-anchor': 'end' }, formatTime(seconds)),
  );
}
