/** What can be done with a turn: one entry of `turnActions` each. */
import './actions.css';
import type { Conversation } from '../model/conversation.ts';
import type { Turn } from '../model/turn.ts';
import { element } from '../parts/dom.ts';
import { icon, type IconName } from '../parts/icon.ts';
import { showToast } from '../parts/toast.ts';

/** Below which part of a turn its button is. */
export type ActionPlace = 'question' | 'answer';

/** A command on a turn, shown as a button. */
export interface TurnAction {
  label: string;
  icon: IconName;
  place: ActionPlace;
  /** Whether the button is shown now. Asked again at each change of the turn's state. */
  isOffered: (turn: Turn) => boolean;
  run: (turn: Turn, conversation: Conversation) => void | Promise<void>;
}

// The clipboard needs https or localhost.
const canCopy = 'clipboard' in navigator;

/** Copies the newest answer of a conversation. */
export function copyLastAnswer({ turns }: Conversation): void {
  const answer = turns.findLast((turn) => isOver(turn) && turn.answer !== '')?.answer;
  if (answer !== undefined && canCopy) void copy(answer, 'answer');
}

const copy = (text: string, what: string) =>
  navigator.clipboard.writeText(text).then(
    () => void showToast(`The ${what} was copied.`),
    () => void showToast('The browser did not allow the page to copy. Select the text instead.'),
  );

// A failed turn offers the one thing that helps; see outcome.ts.
const isOver = ({ state }: Turn) => state === 'answered' || state === 'stopped';

/** All actions, in the order of their buttons. */
const turnActions: readonly TurnAction[] = [
  {
    label: 'Copy question',
    icon: 'copy',
    place: 'question',
    isOffered: (turn) => canCopy && isOver(turn),
    run: ({ question }) => copy(question, 'question'),
  },
  {
    label: 'Edit question',
    icon: 'edit',
    place: 'question',
    isOffered: isOver,
    run: (turn, conversation) => conversation.editRequested.emit(turn),
  },
  {
    label: 'Copy answer',
    icon: 'copy',
    place: 'answer',
    isOffered: (turn) => canCopy && isOver(turn) && turn.answer !== '',
    run: ({ answer }) => copy(answer, 'answer'),
  },
  {
    label: 'Ask again without the cache',
    icon: 'again',
    place: 'answer',
    isOffered: ({ state }) => state === 'answered',
    run(turn, conversation) {
      if (!conversation.askAgain(turn, { pastCache: true })) sayBusy();
    },
  },
];

/** Says why nothing can be asked now. */
export function sayBusy(): void {
  void showToast('Another answer is still coming. Wait for its end, or stop it.');
}

/** Creates the buttons of the actions that are offered now; undefined when there are none. */
export function actionBar(
  turn: Turn,
  conversation: Conversation,
  place: ActionPlace,
): HTMLElement | undefined {
  const buttons = turnActions
    .filter((action) => action.place === place && action.isOffered(turn))
    .map(({ label, icon: name, run }) =>
      element(
        'button',
        {
          type: 'button',
          class: 'icon-button small',
          'aria-label': label,
          title: label,
          click: () => void run(turn, conversation),
        },
        icon(name),
      ),
    );
  return buttons.length > 0 ? element('div', { class: 'actions' }, ...buttons) : undefined;
}
