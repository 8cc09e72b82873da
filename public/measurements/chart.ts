/** Draws the times of answers as a bar chart, whose bars can be chosen. */
import './chart.css';
import type { PerformanceMetrics } from '../../src/lib/contract/metrics.ts';
import { svgElement } from '../parts/dom.ts';
import { formatTime } from './format.ts';
import { kindOf } from './kinds.ts';
import { summaryOf } from './summary.ts';

/** What happens with the bar of an answer. */
export interface ChartEvents {
  /** The bar has the focus, or the pointer is on it. */
  pointed: (metrics: PerformanceMetrics) => void;
  /** The bar has got the focus with the keyboard. */
  focused: (metrics: PerformanceMetrics) => void;
  /** The bar was pressed. */
  chosen: (metrics: PerformanceMetrics) => void;
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

/** Draws a bar for each answer, newest at the right, on a logarithmic scale. The arrow keys move between the bars. */
export function chart(answers: readonly PerformanceMetrics[], events: ChartEvents): SVGElement {
  const longest = Math.max(...answers.map(({ total_time: seconds }) => seconds));
  const highest = Math.max(0, Math.ceil(Math.log10(longest)));
  const y = (seconds: number) => {
    const part = (Math.log10(Math.max(seconds, 10 ** LOWEST)) - LOWEST) / (highest - LOWEST);
    return BOTTOM - part * (BOTTOM - TOP);
  };
  const slot = (WIDTH - LEFT) / Math.max(MIN_SLOTS, answers.length);
  const bars = answers.map((metrics, index) => {
    const top = Math.min(y(metrics.total_time), BOTTOM - 3);
    const button = bar(metrics, { x: LEFT + index * slot, width: slot, top }, events);
    button.setAttribute('aria-label', `Answer ${index + 1} of ${answers.length}: ${summaryOf(metrics)}`);
    // One stop of the Tab key for the whole chart: the newest bar, until another one is focused.
    button.setAttribute('tabindex', index === answers.length - 1 ? '0' : '-1');
    return button;
  });
  const lines = Array.from({ length: highest - LOWEST + 1 }, (_, index) =>
    gridLine(10 ** (LOWEST + index), y),
  );
  const group = svgElement(
    'g',
    { role: 'toolbar', 'aria-label': 'Answer times', keydown: (event) => moveFocus(event, bars) },
    ...bars,
  );
  return svgElement('svg', { class: 'chart', viewBox: `0 0 ${WIDTH} ${HEIGHT}` }, ...lines, group);
}

interface Place {
  x: number;
  width: number;
  top: number;
}

function bar(metrics: PerformanceMetrics, { x, width, top }: Place, events: ChartEvents): SVGElement {
  const box = { x: x + width * 0.14, y: top, width: width * 0.72, height: BOTTOM - top };
  const button: SVGElement = svgElement(
    'g',
    {
      role: 'button',
      'data-invocation': metrics.invocation,
      click: () => events.chosen(metrics),
      pointerenter: () => events.pointed(metrics),
      focus: () => {
        events.pointed(metrics);
        if (button.matches(':focus-visible')) events.focused(metrics);
      },
      keydown: (event) => {
        const { key } = event as KeyboardEvent;
        if (key !== 'Enter' && key !== ' ') return;
        event.preventDefault();
        events.chosen(metrics);
      },
    },
    // Short bars are hit in their whole column.
    svgElement('path', { d: `M${x} ${TOP}h${width}V${BOTTOM}h${-width}z` }),
    svgElement('rect', { class: kindOf(metrics), rx: 1.5, ...box }),
  );
  return button;
}

function moveFocus(event: Event, bars: readonly SVGElement[]): void {
  const at = bars.indexOf(document.activeElement as SVGElement);
  const moves: Record<string, number> = {
    ArrowLeft: Math.max(0, at - 1),
    ArrowRight: Math.min(bars.length - 1, at + 1),
    Home: 0,
    End: bars.length - 1,
  };
  const next = bars[moves[(event as KeyboardEvent).key] ?? -1];
  if (!next) return;
  event.preventDefault();
  focusBar(next);
}

/** Focuses the bar of an answer, and makes it the one that the Tab key reaches. */
export function focusBar(button: SVGElement): void {
  for (const each of button.parentElement?.children ?? []) each.setAttribute('tabindex', '-1');
  button.setAttribute('tabindex', '0');
  button.focus({ preventScroll: true });
}

function gridLine(seconds: number, y: (seconds: number) => number): SVGElement {
  const at = y(seconds);
  return svgElement(
    'g',
    { 'aria-hidden': 'true' },
    svgElement('line', { x1: LEFT, x2: WIDTH, y1: at, y2: at }),
    svgElement('text', { x: LEFT - 8, y: at + 3.5, 'text-anchor': 'end' }, formatTime(seconds)),
  );
}
