/** Shows the waterfall of an answer: a table of its steps, with a bar in each row. */
import './waterfall.css';
import type { PerformanceMetrics } from '../../src/lib/contract/metrics.ts';
import { element, hiddenText, svgElement } from '../parts/dom.ts';
import { formatTime } from './format.ts';
import { sourceOf } from './summary.ts';
import { layOut, type Step, type StepName, ticksOf, type Waterfall } from './waterfall.ts';

const NAMES: Record<StepName, string> = {
  app: 'App',
  history_read: 'History read',
  cache_lookup: 'Cache lookup',
  model: 'Model',
  model_connect: 'Connect',
  model_first_byte: 'First byte',
  model_other: 'Other wait',
  model_text: 'Streaming',
  history_write: 'History write',
};
/** A shorter bar could not be seen. In percent. */
const MIN_WIDTH = 1;

/** Creates the waterfall of an answer, and a text that explains it. */
export function waterfall(metrics: PerformanceMetrics): HTMLElement {
  const layout = layOut(metrics);
  const { steps, firstText, total } = layout;
  const rows = steps.map((step) => stepRow(step, nameOf(step.name, metrics), layout));
  if (firstText !== null) rows.push(firstTextRow(firstText, layout));
  const heads = [
    element('th', { scope: 'col' }, hiddenText('Step')),
    axis(layout),
    element('th', { scope: 'col' }, hiddenText('Time')),
  ];
  return element(
    'div',
    { class: 'waterfall' },
    element(
      'table',
      {},
      element('caption', {}, 'Where the time went'),
      element('thead', {}, element('tr', {}, ...heads)),
      element('tbody', {}, ...rows, row('total', 'Total', element('td'), formatTime(total))),
    ),
    element('p', { class: 'note' }, explanation(steps)),
  );
}

function nameOf(name: StepName, metrics: PerformanceMetrics): string {
  if (name === 'model' && sourceOf(metrics) === 'shared') return 'Shared model call';
  if (name === 'history_read' && !metrics.history_available) return 'History read, failed';
  if (name === 'history_write' && !metrics.history_saved) return 'History write, failed';
  return NAMES[name];
}

function stepRow({ name, seconds, spans }: Step, label: string, layout: Waterfall): HTMLElement {
  const bars = spans.map(({ from, to }) => {
    const width = Math.max(MIN_WIDTH, percent(to - from, layout));
    const x = Math.min(percent(from, layout), 100 - width);
    return svgElement('rect', { x: `${x}%`, width: `${width}%`, y: '25%', height: '50%', rx: 2 });
  });
  const times = spans.map(({ from, to }) => `${formatTime(from)} to ${formatTime(to)}`).join(', ');
  return row(`step ${name}`, label, track(layout, times, bars), formatTime(seconds));
}

function firstTextRow(firstText: number, layout: Waterfall): HTMLElement {
  const cx = `${Math.min(99, Math.max(1, percent(firstText, layout)))}%`;
  const dot = svgElement('circle', { cx, cy: '50%', r: 3.5 });
  return row('first-token', 'First token', track(layout, 'from the start', [dot]), formatTime(firstText));
}

const row = (kind: string, label: string, middle: HTMLElement, time: string): HTMLElement =>
  element('tr', { class: kind }, element('th', { scope: 'row' }, label), middle, element('td', {}, time));

/** The cell of the bars. Screen readers get the times as text. */
function track(layout: Waterfall, times: string, marks: SVGElement[]): HTMLElement {
  const lines = ticksOf(layout.total).map((tick) => verticalLine('tick', percent(tick, layout)));
  if (layout.firstText !== null)
    lines.push(verticalLine('first-token-line', percent(layout.firstText, layout)));
  return element(
    'td',
    {},
    svgElement('svg', { 'aria-hidden': 'true' }, ...lines, ...marks),
    hiddenText(times),
  );
}

/** The head of the column of bars: the times on the axis. */
function axis(layout: Waterfall): HTMLElement {
  const ticks = ticksOf(layout.total);
  const labels = ticks.map((tick, index) => {
    const x = percent(tick, layout);
    const anchor = index === 0 ? 'start' : x > 88 ? 'end' : 'middle';
    // A narrow axis has room for the first and the last one only.
    const between = index > 0 && index < ticks.length - 1 && 'between';
    const text = index === 0 ? '0' : formatTime(tick);
    return svgElement('text', { class: between, x: `${x}%`, y: '50%', 'text-anchor': anchor }, text);
  });
  return element(
    'th',
    { scope: 'col' },
    svgElement('svg', { 'aria-hidden': 'true' }, ...labels),
    hiddenText('When'),
  );
}

function verticalLine(kind: string, x: number): SVGElement {
  return svgElement('line', { class: kind, x1: `${x}%`, x2: `${x}%`, y1: 0, y2: '100%' });
}

const percent = (seconds: number, { total }: Waterfall): number => (total > 0 ? (100 * seconds) / total : 0);

function explanation(steps: readonly Step[]): string {
  const has = (name: StepName) => steps.some((step) => step.name === name);
  const sentences = [
    'The durations are measured. When a step began is derived: the steps run one after another.',
    has('app') && 'App is the rest of the total.',
    has('model_other') &&
      'Other wait is queueing, retries, and the time from the first byte to the first token, which are not measured apart.',
  ];
  return sentences.filter((sentence) => sentence !== false).join(' ');
}
