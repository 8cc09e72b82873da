/** Colours of all charts, distinguishable with colour blindness. Those of the chat page are the same. */

export const INK = '#1e2326';
export const MUTED = '#5e676c';
export const LINE = '#e2dfd8';
export const PAPER = '#fbfaf8';
export const BLUE = '#2f6fb7';
export const GREEN = '#3a9f8c';
export const ORANGE = '#c9781a';
export const PURPLE = '#7b2456';
/** Of what is only compared with. */
export const GREY = '#b3babd';

/** An image is this many times as large as its drawing. */
export const SCALE = 1.5;
