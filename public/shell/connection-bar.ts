/** A quiet bar below the header while the server cannot be reached. */
import './connection-bar.css';
import { type Reach, reach } from '../api/connection.ts';
import { send } from '../api/request.ts';
import { element } from '../parts/dom.ts';

/** Shows the bar in `place` when it is needed. */
export function startConnectionBar(place: HTMLElement): void {
  let latest: Reach = 'reached';
  let hasChecked = false;
  const check = async () => {
    hasChecked = true;
    // Any response will do. `send` tells the listener below.
    await send('/health', {}).catch(() => {});
  };
  const text = element('p');
  const button = element(
    'button',
    { type: 'button', class: 'quiet', click: () => void check() },
    'Check now',
  );
  const draw = () => {
    const now = textFor(latest, hasChecked);
    // A text that is set again would be read aloud again.
    if (text.textContent !== now) text.textContent = now;
    button.hidden = latest !== 'unreachable' || !navigator.onLine;
    if ((now !== '') !== text.isConnected) place.replaceChildren(...(now === '' ? [] : [text, button]));
  };
  reach.listen((now) => {
    latest = now;
    if (now !== 'unreachable') hasChecked = false;
    draw();
  });
  addEventListener('offline', draw);
  addEventListener('online', () => {
    draw();
    if (latest === 'unreachable') void check();
  });
  draw();
}

function textFor(latest: Reach, hasChecked: boolean): string {
  if (!navigator.onLine) return 'You are offline. What you send is asked when you are online again.';
  if (latest === 'stopping') return 'The server is restarting. The request is sent again in a moment.';
  if (latest !== 'unreachable') return '';
  return hasChecked ? 'The server still cannot be reached.' : 'The server cannot be reached.';
}
