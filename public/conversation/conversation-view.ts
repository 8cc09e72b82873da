/** Shows the conversation: its turns, or the welcome, or why it could not be read. */
import './conversation.css';
import type { AskFailure } from '../api/failure.ts';
import type { Conversation } from '../model/conversation.ts';
import type { Turn } from '../model/turn.ts';
import { byId, element } from '../parts/dom.ts';
import { keyForm } from '../turn/key-form.ts';
import { retryAfter } from '../turn/retry-after.ts';
import { signInLink } from '../turn/sign-in-link.ts';
import { TurnView } from '../turn/turn-view.ts';
import { announce } from './announcer.ts';
import { EarlierTurns } from './earlier-turns.ts';
import { keepEndInView, scrollToEnd } from './scrolling.ts';

/** Shows the conversation from now on. */
export function startConversationView(conversation: Conversation): void {
  const welcome = byId('welcome', HTMLElement);
  const notice = byId('notice', HTMLElement);
  const list = byId('turns', HTMLOListElement);
  const views = new Map<Turn, TurnView>();
  const earlier = new EarlierTurns(conversation, notice, list);

  const viewOf = (turn: Turn): TurnView => {
    const view = views.get(turn) ?? new TurnView(turn, conversation, keepEndInView);
    views.set(turn, view);
    return view;
  };
  conversation.opened.listen(() => {
    views.clear();
    list.replaceChildren();
    notice.replaceChildren();
    announce('');
    welcome.hidden = conversation.sessionId !== null;
  });
  conversation.read.listen(() => {
    list.replaceChildren(...conversation.turns.map((turn) => viewOf(turn).root));
    earlier.offer();
    welcome.hidden = conversation.turns.length > 0;
    scrollToEnd();
  });
  conversation.refreshed.listen(() => {
    const afterDrawing = keepEndInView();
    list.replaceChildren(...conversation.turns.map((turn) => viewOf(turn).root));
    afterDrawing();
  });
  addEventListener('focus', () => void conversation.refresh());
  conversation.earlierRead.listen((count) => {
    const added = conversation.turns.slice(0, count).map((turn) => viewOf(turn).root);
    earlier.show(added);
  });
  conversation.readFailed.listen((failure) => showUnread(notice, failure, conversation));
  conversation.asked.listen((turn) => {
    welcome.hidden = true;
    announce('');
    const { turns } = conversation;
    const next = turns[turns.indexOf(turn) + 1];
    list.insertBefore(viewOf(turn).root, next ? viewOf(next).root : null);
    if (!next) scrollToEnd();
  });
  conversation.removed.listen((turn) => viewOf(turn).root.remove());
  conversation.settled.listen((turn) => announceEnd(turn, viewOf(turn)));
  for (const example of welcome.querySelectorAll('button'))
    example.addEventListener('click', () => conversation.start(example.textContent?.trim() ?? ''));
}

function announceEnd({ state, failure }: Turn, view: TurnView): void {
  if (state === 'answered') announce(`Answer: ${view.spoken}`);
  if (state === 'stopped') announce('Stopped.');
  // The form for the key has the focus, and is read.
  if (failure && !failure.needsKey) announce(failure.message);
}

function showUnread(notice: HTMLElement, failure: AskFailure, conversation: Conversation): void {
  const again = () => void conversation.open(conversation.sessionId);
  if (failure.needsKey) {
    notice.append(keyForm(again));
    notice.querySelector('input')?.focus();
    return;
  }
  if (failure.needsSignIn) {
    notice.append(
      element('p', {}, 'The earlier conversation could not be read. ', failure.message, ' ', signInLink()),
    );
    return;
  }
  notice.append(
    element('p', {}, 'The earlier conversation could not be read. ', failure.message),
    element('div', {}, ...retryAfter('Try again', failure.retryAfter, again)),
  );
}
