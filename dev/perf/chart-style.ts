/** How the plot looks: the colours of the chat page, which colour-blind people can tell apart, and a shape for each. */
import { KINDS } from '../../public/facts.js';
import type { Sample } from './measure.ts';

/** What became of a request, as it is coloured. */
export type Group = keyof typeof GROUPS;

/** Drawn in this order: what is rare lies on top. */
export const GROUPS = {
  reused: { name: KINDS.reused, color: '#2f6fb7', symbol: 'circle' },
  cached: { name: KINDS.cached, color: '#3a9f8c', symbol: 'triangle' },
  new: { name: KINDS.new, color: '#c9781a', symbol: 'diamond' },
  cold: { name: KINDS.cold, color: '#7b2456', symbol: 'rect' },
  failed: {
    name: 'Failed',
    color: '#1e2326',
    symbol: 'path://M0,2L2,0L10,8L18,0L20,2L12,10L20,18L18,20L10,12L2,20L0,18L8,10Z',
  },
} as const;

/** Which of these a request belongs to. */
export const groupOf = ({ kind }: Sample): Group => kind ?? 'failed';

export const INK = '#1e2326';
export const MUTED = '#5e676c';
export const LINE = '#e2dfd8';
export const PAPER = '#fbfaf8';

/** Size of the drawing; the image is SCALE times as large. */
export const WIDTH = 1200;
export const HEIGHT = 900;
export const SCALE = 1.5;

/** Where the drawing's parts are, in its units. */
export const LEFT = 84;
export const RIGHT = 118;
export const PLOT_WIDTH = WIDTH - LEFT - RIGHT;
export const UPPER = { top: 270, height: 270 };
export const LOWER = { top: 636, height: 196 };
