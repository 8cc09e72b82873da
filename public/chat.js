/** The chat page: a conversation with POST /ask. */
import { ask, AskFailure, readSession } from './api.js';
import { Composer } from './composer.js';
import { byId, element } from './dom.js';
import { keyForm } from './key-form.js';
import { addToPanel } from './panel.js';
import { Turn } from './turn.js';

/** @import { ChatMessage } from '../src/lib/contract/responses.ts' */

const page = {
  welcome: byId('welcome', HTMLElement),
  notice: byId('notice', HTMLElement),
  turns: byId('turns', HTMLOListElement),
  status: byId('status', HTMLElement),
  fresh: byId('new', HTMLButtonElement),
  toggle: byId('toggle', HTMLButtonElement),
  panel: byId('panel', HTMLElement),
  measured: byId('measured', HTMLElement),
};

/** Also in the URL, for reloads; null until the first answer of a new conversation. */
let sessionId = sessionInUrl();
/** Aborts the request in progress. */
let pending = /** @type {AbortController | null} */ (null);

const composer = new Composer(start, stop);
page.fresh.addEventListener('click', () => {
  if (sessionId !== null) history.pushState(null, '', location.pathname + location.search);
  void open(null);
  composer.focus();
});
addEventListener('hashchange', () => {
  // The user went back or edited the URL.
  if (sessionInUrl() !== sessionId) void open(sessionInUrl());
});
page.toggle.addEventListener('click', () => showPanel(page.panel.hidden !== false));
for (const example of page.welcome.querySelectorAll('button'))
  example.addEventListener('click', () => {
    if (!pending) start(example.textContent ?? '');
  });

showPanel(matchMedia('(min-width: 64rem)').matches);
void open(sessionId);

/** In the fragment, which browsers do not send: the id gives access to the conversation. */
function sessionInUrl() {
  const id = new URLSearchParams(location.hash.slice(1)).get('session') ?? '';
  // Ignores ids that the server refuses.
  return id.length > 256 || /^\.{0,2}$/.test(id) ? null : id;
}

/** @param {string} id */
function keepSession(id) {
  if (id === sessionId) return;
  sessionId = id;
  history.replaceState(null, '', `#${new URLSearchParams({ session: id })}`);
}

/** Shows the conversation of a session, or an empty one. @param {string | null} id */
async function open(id) {
  pending?.abort();
  sessionId = id;
  page.turns.replaceChildren();
  page.notice.replaceChildren();
  page.status.textContent = '';
  page.welcome.hidden = id !== null;
  const controller = begin();
  try {
    if (id !== null) {
      const { messages, more } = await readSession(id, controller.signal);
      if (pending !== controller) return;
      if (more) page.notice.append(element('p', {}, 'Earlier messages are not shown.'));
      showHistory(messages);
    }
  } catch (error) {
    if (pending === controller)
      showUnread(id, controller.signal.aborted ? new AskFailure('Stopped.') : error);
  } finally {
    finish(controller);
  }
  scrollTo({ top: document.body.scrollHeight });
}

/** @param {ChatMessage[]} messages */
function showHistory(messages) {
  let turn = new Turn('');
  for (const { role, content } of messages) {
    if (role === 'human') page.turns.append((turn = new Turn(content)).root);
    else turn.finish(content);
  }
  page.welcome.hidden = messages.length > 0;
}

/** @param {string | null} id @param {unknown} error */
function showUnread(id, error) {
  const again = () => void open(id);
  if (error instanceof AskFailure && error.needsKey) {
    page.notice.append(keyForm(again));
    page.notice.querySelector('input')?.focus();
    return;
  }
  const retry = element('button', { type: 'button', click: again }, 'Try again');
  page.notice.append(
    element('p', {}, 'The earlier conversation could not be read. ', messageOf(error)),
    retry,
  );
}

/** Adds a question to the conversation and asks it. @param {string} question */
function start(question) {
  page.welcome.hidden = true;
  const turn = new Turn(question);
  page.turns.append(turn.root);
  void answer(turn);
}

/** @param {Turn} turn */
async function answer(turn) {
  const controller = begin();
  const { signal } = controller;
  const again = () => {
    if (pending) return;
    turn.restart();
    // Moves behind later questions: the server stores it after them.
    page.turns.append(turn.root);
    void answer(turn);
  };
  page.status.textContent = '';
  scrollTo({ top: document.body.scrollHeight });
  try {
    for await (const event of ask(turn.question, sessionId, signal)) {
      if (signal.aborted) break;
      if (event.type === 'session') keepSession(event.sessionId);
      if (event.type === 'token') turn.append(event.text, keepEndInView());
      if (event.type === 'done') {
        const scroll = keepEndInView();
        const { answer: text, session_id: id, performance_metrics: metrics } = event.answer;
        keepSession(id);
        turn.finish(text, metrics);
        addToPanel(page.measured, metrics);
        if (metrics.model?.endsWith('emulated')) byId('emulated', HTMLElement).hidden = false;
        scroll();
        page.status.textContent = `Answer: ${turn.spoken}`;
        return;
      }
    }
    turn.stop(again);
  } catch (error) {
    if (signal.aborted) turn.stop(again);
    else showFailure(turn, error, again);
  } finally {
    finish(controller);
  }
}

/** @param {Turn} turn @param {unknown} error @param {() => void} again */
function showFailure(turn, error, again) {
  const scroll = keepEndInView();
  if (error instanceof AskFailure && error.needsKey) {
    const form = keyForm(again);
    turn.askForKey(form);
    form.querySelector('input')?.focus();
  } else {
    const message = messageOf(error);
    turn.fail(message, error instanceof AskFailure ? error.retryAfter : 0, again);
    page.status.textContent = message;
  }
  scroll();
}

/** @param {unknown} error */
function messageOf(error) {
  if (error instanceof AskFailure) return error.message;
  console.error(error);
  return 'Something went wrong in this page. Reload it.';
}

function begin() {
  const controller = (pending = new AbortController());
  composer.show(true);
  return controller;
}

/** @param {AbortController} controller */
function finish(controller) {
  if (pending !== controller) return;
  pending = null;
  composer.show(false);
}

function stop() {
  pending?.abort();
  page.status.textContent = 'Stopped.';
  composer.focus();
}

/** Returns a function that scrolls to the end if the end is visible now. */
function keepEndInView() {
  const { scrollHeight, clientHeight, scrollTop } = document.documentElement;
  const isAtEnd = scrollHeight - clientHeight - scrollTop < 80;
  return () => {
    if (isAtEnd) scrollTo({ top: document.documentElement.scrollHeight });
  };
}

/** @param {boolean} shown */
function showPanel(shown) {
  page.panel.hidden = !shown;
  page.toggle.setAttribute('aria-expanded', String(shown));
}
