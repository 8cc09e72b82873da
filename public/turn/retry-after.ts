/** What can be done about a failed turn, and when. */
import type { AskFailure } from '../api/failure.ts';
import { element, hiddenText } from '../parts/dom.ts';
import { signInLink } from './sign-in-link.ts';

const COUNT_MS = 250;
/** Nobody waits for the end of a longer time, which the message names: there is no countdown. */
const MAX_SECONDS = 3600;

/** Offers to sign in, or to try again as soon as the server allows it. */
export function remedyOf(failure: AskFailure, retry: () => void): Node[] {
  return failure.needsSignIn ? [signInLink()] : retryAfter('Try again', failure.retryAfter, retry);
}

/** A button that counts down some seconds and can be pressed afterwards, which screen readers are then told. */
export function retryAfter(label: string, seconds: number, press: () => void): Node[] {
  const button = element('button', { type: 'button', click: press }, label);
  if (seconds <= 0 || seconds > MAX_SECONDS) return [button];
  const said = hiddenText('');
  said.setAttribute('role', 'status');
  const end = performance.now() + 1000 * seconds;
  const count = () => {
    const left = Math.ceil((end - performance.now()) / 1000);
    button.disabled = left > 0;
    button.textContent = left > 0 ? `${label} in ${left} s` : label;
    if (left > 0) setTimeout(count, COUNT_MS);
    else said.textContent = 'You can try again now.';
  };
  count();
  return [button, said];
}
