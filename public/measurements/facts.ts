/** The line of facts under an answer: its source and its time, and on demand everything that was measured. */
import './facts.css';
import type { PerformanceMetrics } from '../../src/lib/contract/metrics.ts';
import type { Turn } from '../model/turn.ts';
import { element } from '../parts/dom.ts';
import { factsOf } from './fact-list.ts';
import { kindOf } from './kinds.ts';
import { summaryOf } from './summary.ts';
import { waterfall } from './waterfall-table.ts';

/** Creates the facts of an answered turn; undefined when they are not known. */
export function showFacts({ metrics }: Turn): HTMLElement | undefined {
  if (!metrics) return undefined;
  const details = element(
    'details',
    { class: `facts ${kindOf(metrics)}`, 'data-invocation': metrics.invocation },
    element('summary', {}, element('span', { class: 'swatch' }), summaryOf(metrics)),
  );
  // Most answers are never opened.
  details.addEventListener('toggle', () => {
    if (details.childElementCount === 1) details.append(content(metrics));
    if (details.open) details.scrollIntoView({ block: 'nearest' });
  });
  return details;
}

/** Opens the facts of an answer and scrolls to them. False when the answer is not shown. */
export function openFacts(invocation: string): boolean {
  const details = find(invocation);
  if (!details) return false;
  const show = () => {
    // The facts may be higher than the window; their scroll margin keeps the end of the answer in view.
    details.scrollIntoView();
    details.querySelector('summary')?.focus({ preventScroll: true });
  };
  if (details.open) show();
  else details.addEventListener('toggle', show, { once: true });
  details.open = true;
  return true;
}

/** Scrolls to an answer, if it is shown. The focus stays where it is. */
export function scrollToFacts(invocation: string): void {
  find(invocation)?.scrollIntoView({ block: 'center' });
}

const find = (invocation: string): HTMLDetailsElement | undefined =>
  [...document.querySelectorAll<HTMLDetailsElement>('details.facts')].find(
    ({ dataset }) => dataset['invocation'] === invocation,
  );

function content(metrics: PerformanceMetrics): HTMLElement {
  const rows = factsOf(metrics).map(([name, value]) =>
    element('div', {}, element('dt', {}, name), element('dd', {}, value)),
  );
  return element('div', { class: 'measured' }, waterfall(metrics), element('dl', {}, ...rows));
}
