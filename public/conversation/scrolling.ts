/** Scrolls with the answer, and leaves a reader who has scrolled up in peace. */
import './scrolling.css';
import type { Conversation } from '../model/conversation.ts';
import { byId, element } from '../parts/dom.ts';
import { icon } from '../parts/icon.ts';

/** A reader who scrolls down to here is at the end. */
const NEAR_END_PX = 80;
/** Scroll positions are rounded. */
const AT_END_PX = 2;

/** Whether the page scrolls with the answer. */
let isFollowing = true;
let lastTop = 0;

/** Scrolls to the end of the conversation, and follows it from now on. */
export function scrollToEnd(): void {
  isFollowing = true;
  scrollTo({ top: document.documentElement.scrollHeight, behavior: 'instant' });
}

/** Returns a function that scrolls to the end, unless the reader has scrolled up. */
export function keepEndInView(): () => void {
  return () => {
    if (isFollowing) scrollToEnd();
  };
}

/** Follows the reader, and offers the way back to one who has scrolled up while an answer comes. */
export function startScrolling(conversation: Conversation): void {
  const button = element(
    'button',
    { type: 'button', class: 'jump', hidden: true },
    icon('down'),
    'Jump to latest',
  );
  const show = () => {
    // It stays after the end of an answer that the reader has not seen.
    button.hidden = isFollowing || (button.hidden && !conversation.isBusy);
  };
  button.addEventListener('click', ({ detail }) => {
    scrollToEnd();
    show();
    // The focus of the keyboard would be lost with the button. A touch would open the keyboard of a phone.
    if (detail === 0) byId('question', HTMLElement).focus({ preventScroll: true });
  });
  byId('composer', HTMLElement).prepend(button);
  conversation.busyChanged.listen(show);
  conversation.opened.listen(() => {
    isFollowing = true;
    show();
  });
  // Answers can become longer when a part of the page is loaded.
  document.addEventListener('rendered', () => keepEndInView()());
  document.addEventListener(
    'scroll',
    () => {
      const { scrollHeight, clientHeight, scrollTop } = document.documentElement;
      const left = scrollHeight - clientHeight - scrollTop;
      // The end can also move up to the reader, when the text becomes shorter.
      if (left <= AT_END_PX) isFollowing = true;
      else if (scrollTop < lastTop) isFollowing = false;
      else if (scrollTop > lastTop && left < NEAR_END_PX) isFollowing = true;
      lastTop = scrollTop;
      show();
    },
    { passive: true },
  );
}
