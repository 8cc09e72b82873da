/** Layout of the chart, and the kinds of requests with their colours. */
import { KINDS } from '../../public/measurements/kinds.ts';
import { BLUE, GREEN, INK, ORANGE, PURPLE } from '../chart/style.ts';
import type { Sample } from './measure.ts';

/** The kind of a request, which decides its colour. */
export type Group = keyof typeof GROUPS;

/** In drawing order: rare kinds are drawn last, on top. */
export const GROUPS = {
  reused: { name: KINDS.reused, color: BLUE, symbol: 'circle' },
  cached: { name: KINDS.cached, color: GREEN, symbol: 'triangle' },
  new: { name: KINDS.new, color: ORANGE, symbol: 'diamond' },
  cold: { name: KINDS.cold, color: PURPLE, symbol: 'rect' },
  failed: {
    name: 'Failed',
    color: INK,
    symbol: 'path://M0,2L2,0L10,8L18,0L20,2L12,10L20,18L18,20L10,12L2,20L0,18L8,10Z',
  },
} as const;

/** The group of a request. */
export const groupOf = ({ kind }: Sample): Group => kind ?? 'failed';

/** Size of the drawing. */
export const WIDTH = 1200;
export const HEIGHT = 900;

/** Positions in the drawing, in its units. */
export const LEFT = 84;
const RIGHT = 118;
export const PLOT_WIDTH = WIDTH - LEFT - RIGHT;
export const UPPER = { top: 270, height: 270 };
/** The panel at the lower right: its left edge, and the widths of its labels and of its bars. */
export const COMPARED = { left: 660, labels: 150, width: 260 };
export const LOWER = { top: 636, height: 196 };
