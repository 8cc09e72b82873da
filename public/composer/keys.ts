/** What key events mean for the input. */

/** The key of events that an input method handles. */
const INPUT_METHOD_KEY_CODE = 229;

/** Whether a key belongs to an input method: Enter then selects a character, and Escape closes its list. */
export function isComposing(event: KeyboardEvent): boolean {
  // Safari sends the Enter that ends a composition when `isComposing` is false again.
  return event.isComposing || event.keyCode === INPUT_METHOD_KEY_CODE;
}

/** Whether a key is pressed without another one. */
export const isPlain = ({ altKey, ctrlKey, metaKey, shiftKey }: KeyboardEvent): boolean =>
  !altKey && !ctrlKey && !metaKey && !shiftKey;
