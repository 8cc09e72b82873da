/** The frame of the page: the columns at its sides, the header and its menu. */
import type { Composer } from '../composer/composer.ts';
import { exportChoice } from '../conversation/export.ts';
import { goTo } from '../model/address.ts';
import type { Conversation } from '../model/conversation.ts';
import { byId } from '../parts/dom.ts';
import { fillIcons } from '../parts/icon.ts';
import { attachMenu } from '../parts/menu.ts';
import { toastPlace } from '../parts/toast.ts';
import type { SessionStore } from '../sessions/session-store.ts';
import { showShortcuts } from './shortcuts.ts';
import { SidePanel } from './side-panel.ts';
import { themeChoice } from './theme.ts';

/** Sets the frame up. */
export function startShell(conversation: Conversation, composer: Composer, sessions: SessionStore): void {
  fillIcons();
  document.body.append(toastPlace());
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
    wide: '(min-width: 64rem)',
  });
  const newButtons = ['new', 'new-short'].map((id) => byId(id, HTMLButtonElement));
  for (const button of newButtons)
    button.addEventListener('click', () => {
      list.closeSheet();
      goTo(conversation, null);
      composer.focus();
    });
  byId('sessions', HTMLElement).addEventListener('click', ({ target }) => {
    if (target instanceof Element && target.closest('a')) list.closeSheet();
  });
  // The column has a button of its own.
  list.columnChanged.listen((isShown) => (byId('new-short', HTMLElement).hidden = isShown));
  list.arrange();
  panel.arrange();
  attachMenu(byId('more', HTMLButtonElement), () => [
    ...exportChoice(conversation, byId('title', HTMLElement).textContent),
    themeChoice(),
    { items: [{ label: 'Keyboard shortcuts', icon: 'keyboard', run: () => void showShortcuts() }] },
  ]);
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
