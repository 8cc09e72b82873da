/** Scrolls with the answer, and leaves a reader who has scrolled up in peace. */

const NEAR_END_PX = 80;

/** Scrolls to the end of the conversation. */
export function scrollToEnd(): void {
  scrollTo({ top: document.documentElement.scrollHeight });
}

/** Returns a function that scrolls to the end if the end is visible now. */
export function keepEndInView(): () => void {
  const { scrollHeight, clientHeight, scrollTop } = document.documentElement;
  const isAtEnd = scrollHeight - clientHeight - scrollTop < NEAR_END_PX;
  return () => {
    if (isAtEnd) scrollToEnd();
  };
}
