/** The frame of the page: the columns at its sides, the header and its menu. */
import type { Composer } from '../composer/composer.ts';
import { exportChoice } from '../conversation/export.ts';
import { goTo } from '../model/address.ts';
import type { Conversation } from '../model/conversation.ts';
import { byId } from '../parts/dom.ts';
import { fillIcons } from '../parts/icon.ts';
import { attachMenu } from '../parts/menu.ts';
import { toastPlace } from '../parts/toast.ts';
import { showShortcuts } from './shortcuts.ts';
import { SidePanel } from './side-panel.ts';
import { themeChoice } from './theme.ts';

/** Sets the frame up. */
export function startShell(conversation: Conversation, composer: Composer): void {
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
  // The column has a button of its own.
  list.columnChanged.listen((isShown) => (byId('new-short', HTMLElement).hidden = isShown));
  list.arrange();
  panel.arrange();
  attachMenu(byId('more', HTMLButtonElement), () => [
    ...exportChoice(conversation, byId('title', HTMLElement).textContent),
    themeChoice(),
    { items: [{ label: 'Keyboard shortcuts', icon: 'keyboard', run: () => void showShortcuts() }] },
  ]);
  startTitle(conversation);
}

/** Shows the first question as the title, and whether the model is a real one. */
function startTitle(conversation: Conversation): void {
  const title = byId('title', HTMLElement);
  const update = () => {
    title.textContent = conversation.turns[0]?.question ?? 'New conversation';
  };
  for (const signal of [conversation.opened, conversation.read]) signal.listen(update);
  conversation.asked.listen(update);
  conversation.settled.listen(({ metrics }) => {
    if (metrics?.model?.endsWith('emulated')) byId('emulated', HTMLElement).hidden = false;
  });
}
