/** What can be done with a turn: one entry of `turnActions` each. */
import './actions.css';
import type { Conversation } from '../model/conversation.ts';
import type { Turn } from '../model/turn.ts';
import { element } from '../parts/dom.ts';
import { icon, type IconName } from '../parts/icon.ts';
import { showToast } from '../parts/toast.ts';

/** A command on a turn, shown as a button below its answer. */
export interface TurnAction {
  label: string;
  icon: IconName;
  /** Whether the button is shown now. Asked again at each change of the turn's state. */
  isOffered: (turn: Turn) => boolean;
  run: (turn: Turn, conversation: Conversation) => void | Promise<void>;
}

const copyAnswer: TurnAction = {
  label: 'Copy answer',
  icon: 'copy',
  // The clipboard needs https or localhost.
  isOffered: ({ state }) => state === 'answered' && 'clipboard' in navigator,
  run: ({ answer }) =>
    navigator.clipboard.writeText(answer).then(
      () => void showToast('The answer was copied.'),
      () => void showToast('The browser did not allow the page to copy. Select the text instead.'),
    ),
};

/** All actions, in the order of their buttons. */
const turnActions: readonly TurnAction[] = [copyAnswer];

/** Creates the buttons of the actions that are offered now; undefined when there are none. */
export function actionBar(turn: Turn, conversation: Conversation): HTMLElement | undefined {
  const buttons = turnActions
    .filter(({ isOffered }) => isOffered(turn))
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
