/** A quiet bar below the header while the server cannot be reached. */
import './connection-bar.css';
import { type Reach, reach } from '../api/connection.ts';
import { send } from '../api/request.ts';
import { element } from '../parts/dom.ts';

/** Shows the bar in `place` when it is needed. */
export function startConnectionBar(place: HTMLElement): void {
  let latest: Reach = 'reached';
  let shown = '';
  const draw = () => {
    const text = textFor(latest);
    // A text that is set again would be read aloud again.
    if (text === shown) return;
    shown = text;
    const canCheck = latest === 'unreachable' && navigator.onLine;
    place.replaceChildren(
      ...(text === '' ? [] : [element('p', {}, text)]),
      ...(canCheck ? [checkButton()] : []),
    );
  };
  reach.listen((now) => {
    latest = now;
    draw();
  });
  addEventListener('offline', draw);
  addEventListener('online', () => {
    draw();
    if (latest === 'unreachable') check();
  });
  draw();
}

function textFor(latest: Reach): string {
  if (!navigator.onLine)
    return 'You are offline. What you write stays here; send it when you are online again.';
  if (latest === 'unreachable') return 'The server cannot be reached.';
  if (latest === 'stopping') return 'The server is restarting. The request is sent again in a moment.';
  return '';
}

const checkButton = () => element('button', { type: 'button', class: 'quiet', click: check }, 'Check now');

/** Any response will do: it is noted by `send`. */
function check(): void {
  void send('/health', {}).catch(() => {});
}
