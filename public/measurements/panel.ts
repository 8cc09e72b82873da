/** The panel: the latest answers of this tab as bars, the open conversation, and the counters of the process. */
import './panel.css';
import type { PerformanceMetrics } from '../../src/lib/contract/metrics.ts';
import { goTo } from '../model/address.ts';
import type { Conversation } from '../model/conversation.ts';
import { measured } from '../model/measured.ts';
import { element } from '../parts/dom.ts';
import { showToast } from '../parts/toast.ts';
import { chart, focusBar } from './chart.ts';
import { openFacts, scrollToFacts } from './facts.ts';
import { budgetLeft, conversationSums, legend, processCounters } from './statistics.ts';
import { summaryOf } from './summary.ts';

const MAX_BARS = 50;

/** Shows in `container` what was measured, from now on. */
export function startPanel(container: HTMLElement, conversation: Conversation): void {
  const empty = [...container.childNodes];
  const draw = () => {
    const answers = measured()
      .slice(-MAX_BARS)
      .map(({ metrics }) => metrics);
    const focused = focusedIn(container);
    container.replaceChildren(...(answers.length > 0 ? content(answers, conversation) : empty));
    if (focused === undefined) return;
    const bar = barsOf(container).find(({ dataset }) => dataset['invocation'] === focused);
    if (bar) focusBar(bar);
  };
  for (const signal of [conversation.opened, conversation.read]) signal.listen(draw);
  conversation.settled.listen(draw);
}

const barsOf = (container: HTMLElement) => [
  ...container.querySelectorAll<SVGElement>('.chart [data-invocation]'),
];

const focusedIn = (container: HTMLElement): string | undefined =>
  barsOf(container).find((bar) => bar === document.activeElement)?.dataset['invocation'];

function content(answers: readonly PerformanceMetrics[], conversation: Conversation): Node[] {
  const newest = answers.at(-1);
  const pointed = element('p', { class: 'pointed' }, element('span', {}, 'Choose a bar to see its answer.'));
  const sums = conversationSums(conversation.turns);
  const budget = budgetLeft(answers);
  const bars = chart(answers, {
    pointed: (metrics) => pointed.replaceChildren(...describe(metrics, conversation)),
    focused: ({ invocation }) => {
      // Behind a sheet, nobody would see it.
      if (!bars.closest('dialog')) scrollToFacts(invocation);
    },
    chosen: ({ invocation }) => choose(invocation, bars, conversation),
  });
  const many = `last ${answers.length} answers in this tab, newest at the right`;
  const nodes = [
    element('h2', {}, 'Latency'),
    element(
      'p',
      { class: 'note' },
      `Total time of the ${answers.length === 1 ? 'only answer in this tab' : many}.`,
    ),
    bars,
    pointed,
    legend(answers),
    sums && element('h2', {}, 'This conversation'),
    sums,
    budget && element('h2', {}, 'Left of the budget'),
    budget,
    element('h2', {}, 'This instance'),
    element('p', { class: 'note' }, 'Since it started, as of the newest answer.'),
    newest && processCounters(newest),
  ];
  return nodes.filter((node) => node !== undefined);
}

/** An answer in one line: its source and time, and its question if that is known. */
function describe(metrics: PerformanceMetrics, conversation: Conversation): HTMLElement[] {
  const turn = conversation.turns.find((each) => each.metrics?.invocation === metrics.invocation);
  return [
    element('strong', {}, summaryOf(metrics)),
    element('span', {}, turn?.question ?? 'in another conversation'),
  ];
}

/** Shows the facts of an answer. It may be in another conversation, which is opened then. */
function choose(invocation: string, bars: SVGElement, conversation: Conversation): void {
  const isHere = conversation.turns.some(({ metrics }) => metrics?.invocation === invocation);
  const session = measured().find(({ metrics }) => metrics.invocation === invocation)?.session;
  if (!isHere && conversation.isBusy) {
    void showToast('This answer is in another conversation. Wait for the answer in progress, or stop it.');
    return;
  }
  bars.closest('dialog')?.close();
  if (isHere) return void openFacts(invocation);
  if (session === undefined) return;
  const stopListening = conversation.read.listen(() => {
    stopListening();
    openFacts(invocation);
  });
  void goTo(conversation, session);
}
