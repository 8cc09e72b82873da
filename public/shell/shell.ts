/** The frame of the page: the columns at its sides, the header and its menu. */
import type { Composer } from '../composer/composer.ts';
import { exportChoice } from '../conversation/export.ts';
import { printChoice, startPrinting } from '../conversation/print.ts';
import { goTo } from '../model/address.ts';
import type { Conversation } from '../model/conversation.ts';
import { byId } from '../parts/dom.ts';
import { fillIcons } from '../parts/icon.ts';
import { attachMenu } from '../parts/menu.ts';
import { toastPlace } from '../parts/toast.ts';
import type { SessionList } from '../sessions/session-list.ts';
import type { SessionStore } from '../sessions/session-store.ts';
import { copyLastAnswer } from '../turn/actions.ts';
import { startKeyboard } from './keyboard.ts';
import { showShortcuts } from './shortcuts.ts';
import { myDataChoice } from './my-data.ts';
import { SidePanel } from './side-panel.ts';
import { themeChoice } from './theme.ts';

/** What the frame is around. */
export interface ShellParts {
  conversation: Conversation;
  composer: Composer;
  sessions: SessionStore;
  sessionList: SessionList;
}

/** Sets the frame up. */
export function startShell({ conversation, composer, sessions, sessionList }: ShellParts): void {
  fillIcons();
  // Above the input, which is always in view.
  byId('composer', HTMLElement).prepend(toastPlace());
  const list = new SidePanel({
    name: 'list',
    title: 'Conversations',
    side: 'left',
    wide: '(min-width: 48rem)',
  });
  const panel = new SidePanel({
    name: 'panel',
    title: 'Measurements',
    side: 'right',
    wide: '(min-width: 80rem)',
  });
  const startNew = () => {
    list.closeSheet();
    void goTo(conversation, null);
    composer.focus();
  };
  for (const id of ['new', 'new-short']) byId(id, HTMLButtonElement).addEventListener('click', startNew);
  byId('sessions', HTMLElement).addEventListener('click', ({ target }) => {
    if (target instanceof Element && target.closest('a')) list.closeSheet();
  });
  // The column has a button of its own.
  list.columnChanged.listen((isShown) => (byId('new-short', HTMLElement).hidden = isShown));
  list.arrange();
  panel.arrange();
  attachMenu(byId('more', HTMLButtonElement), () => [
    ...exportChoice(conversation, byId('title', HTMLElement).textContent),
    ...printChoice(conversation),
    themeChoice(),
    ...myDataChoice(sessions),
    { items: [{ label: 'Keyboard shortcuts', icon: 'keyboard', run: () => void showShortcuts() }] },
  ]);
  startKeyboard({
    startNew,
    focusInput: () => composer.focus(),
    copyAnswer: () => copyLastAnswer(conversation),
    search() {
      list.show();
      sessionList.search();
    },
    showKeys: () => void showShortcuts(),
  });
  startPrinting(conversation);
  startTitle(conversation, sessions);
}

/** Shows the title of the conversation, also as that of the tab, and whether the model is a real one. */
function startTitle(conversation: Conversation, sessions: SessionStore): void {
  const heading = byId('title', HTMLElement);
  const appName = document.title;
  const update = () => {
    const title = sessions.title;
    heading.textContent = title ?? 'New conversation';
    document.title = title === undefined ? appName : `${title} · ${appName}`;
  };
  conversation.asked.listen(update);
  // Also after a conversation was opened or read.
  sessions.changed.listen(update);
  conversation.settled.listen(({ metrics }) => {
    if (metrics?.model?.endsWith('emulated')) byId('emulated', HTMLElement).hidden = false;
  });
}
