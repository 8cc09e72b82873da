/** Client of POST /ask and GET /sessions/{session_id}. */
import { readEvents } from './events.js';

/** @import { Answer, ChatMessage } from '../src/lib/contract/responses.ts' */
/**
 * @typedef {{ type: 'session', sessionId: string } | { type: 'token', text: string } | { type: 'done', answer: Answer }} AskEvent
 */

/** A failed request, with a message for the user. */
export class AskFailure extends Error {
  /**
   * @param {string} message
   * @param {{ needsKey?: boolean, retryAfter?: number }} [details] `retryAfter` in seconds
   */
  constructor(message, { needsKey = false, retryAfter = 0 } = {}) {
    super(message);
    this.needsKey = needsKey;
    this.retryAfter = retryAfter;
  }
}

const KEY = 'functions-key';
const OFFLINE = 'The server cannot be reached. Check your connection, then try again.';
const BROKEN_OFF = 'The connection was lost before the answer was complete. Try again.';

/** Fallback when the browser forbids storage: the key is kept until a reload. */
let key = '';
try {
  key = sessionStorage.getItem(KEY) ?? '';
} catch {}

/** Keeps the function key until the tab is closed. @param {string} value */
export function keepKey(value) {
  key = value;
  try {
    sessionStorage.setItem(KEY, value);
  } catch {}
}

/** Whether a key is stored; then a 401 means that it is wrong. */
export function hasKey() {
  return key !== '';
}

/**
 * Asks a question and yields the events of the answer; `done` is the last one.
 * @param {string} question
 * @param {string | null} sessionId
 * @param {AbortSignal} signal
 * @returns {AsyncGenerator<AskEvent, void, void>}
 * @throws {AskFailure}
 */
export async function* ask(question, sessionId, signal) {
  const response = await send('/ask', {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', Accept: 'text/event-stream' },
    body: JSON.stringify({ question, ...(sessionId !== null && { session_id: sessionId }) }),
    signal,
  });
  if (!response.ok) throw await failureOf(response);
  try {
    // A server that does not stream sends the whole answer.
    if (isJson(response)) yield { type: 'done', answer: await response.json() };
    else if (response.body) yield* readAnswer(response.body);
  } catch (error) {
    throw error instanceof AskFailure ? error : new AskFailure(BROKEN_OFF);
  }
}

/** @param {ReadableStream<Uint8Array<ArrayBuffer>>} stream @returns {AsyncGenerator<AskEvent, void, void>} */
async function* readAnswer(stream) {
  for await (const { event, data } of readEvents(stream)) {
    const body = JSON.parse(data);
    if (event === 'session') yield { type: 'session', sessionId: body.session_id };
    if (event === 'token') yield { type: 'token', text: body.text };
    if (event === 'done') {
      yield { type: 'done', answer: body };
      return;
    }
    if (event === 'error') throw new AskFailure(body.status, { retryAfter: body.error?.retry_after });
  }
  throw new AskFailure(BROKEN_OFF);
}

/**
 * Reads the newest page of a session, oldest first, and whether there are older ones. Empty for unknown sessions.
 * @param {string} sessionId
 * @param {AbortSignal} signal
 * @returns {Promise<{ messages: ChatMessage[], more: boolean }>}
 * @throws {AskFailure}
 */
export async function readSession(sessionId, signal) {
  const response = await send(`/sessions/${encodeURIComponent(sessionId)}`, { signal });
  if (response.status === 404) return { messages: [], more: false };
  if (!response.ok) throw await failureOf(response);
  const { chat_history: messages, next } = await response.json();
  return { messages, more: Boolean(next) };
}

/** @param {string} path @param {RequestInit} options */
async function send(path, options) {
  const headers = new Headers(options.headers);
  if (key) headers.set('x-functions-key', key);
  try {
    // No `cache` option: it makes browsers send Cache-Control, which bypasses the answer cache.
    return await fetch(path, { ...options, headers });
  } catch {
    throw new AskFailure(OFFLINE);
  }
}

/** @param {Response} response */
async function failureOf(response) {
  const body = isJson(response) ? await response.json().catch(() => null) : null;
  // The Functions host's 401 has no body.
  const needsKey = !body && response.status === 401;
  const message = body?.status ?? `The server answered with an error (HTTP ${response.status}). Try again.`;
  const seconds = Number(body?.error?.retry_after ?? response.headers.get('Retry-After'));
  return new AskFailure(message, { needsKey, retryAfter: seconds > 0 ? Math.ceil(seconds) : 0 });
}

/** @param {Response} response */
function isJson(response) {
  return /\bjson\b/i.test(response.headers.get('Content-Type') ?? '');
}
