/** Requests to the addresses of answers. */
import { randomUUID } from 'node:crypto';
import { createParser } from 'eventsource-parser';
import type { AddressedAnswerBody } from '../../src/lib/contract/answer-events.ts';
import type { Answer, ErrorBody, Session } from '../../src/lib/contract/responses.ts';
import { ask, newQuestion, post, type TestApp } from './app.ts';

/** A session, and the key of a question in it. */
export interface Address {
  session_id: string;
  key: string;
}

/** The address of an answer at an app. */
export const addressOf = ({ url }: Pick<TestApp, 'url'>, { session_id, key }: Address): string =>
  `${url}/sessions/${encodeURIComponent(session_id)}/answers/${encodeURIComponent(key)}`;

/** The state of an answer. @throws Error with the response body when the status is not 200. */
export async function stateOf(
  app: TestApp,
  address: Address,
  headers: Record<string, string> = {},
): Promise<AddressedAnswerBody> {
  const response = await fetch(addressOf(app, address), { headers });
  if (response.status !== 200) throw new Error(`${response.status}: ${await response.text()}`);
  return (await response.json()) as AddressedAnswerBody;
}

/** Stops an answer. */
export async function stop(app: TestApp, address: Address): Promise<AddressedAnswerBody> {
  const response = await fetch(addressOf(app, address), { method: 'DELETE' });
  if (response.status !== 200) throw new Error(`${response.status}: ${await response.text()}`);
  return (await response.json()) as AddressedAnswerBody;
}

/** What was read of a stream so far. */
export interface Followed {
  text: string;
  /** Id of the last event of text. */
  lastId: string;
  /** Where the text of the stream begins. */
  offset: number | undefined;
  done: Partial<AddressedAnswerBody & Answer> | undefined;
  error: ErrorBody | undefined;
}

/** Reads the events of a response until its end, or until `until` is true of what was read. */
export async function followed(
  response: Response,
  until: (so: Followed) => boolean = () => false,
): Promise<Followed> {
  const so: Followed = { text: '', lastId: '', offset: undefined, done: undefined, error: undefined };
  const parser = createParser({
    onEvent({ event, data, id }) {
      const value = JSON.parse(data) as Record<string, unknown>;
      if (event === 'session') so.offset = value['offset'] as number | undefined;
      if (event === 'token') so.text += String(value['text']);
      if (id !== undefined) so.lastId = id;
      if (event === 'done') so.done = value;
      if (event === 'error') so.error = value as unknown as ErrorBody;
    },
  });
  const decoder = new TextDecoder();
  for await (const chunk of response.body ?? []) {
    parser.feed(decoder.decode(chunk, { stream: true }));
    if (until(so)) break;
  }
  return so;
}

/** Follows an answer at its address. */
export const follow = (
  app: TestApp,
  address: Address,
  { after, ...rest }: { after?: string | number; signal?: AbortSignal } = {},
): Promise<Response> =>
  fetch(addressOf(app, address), {
    headers: {
      Accept: 'text/event-stream',
      ...(after !== undefined && { 'Last-Event-ID': String(after) }),
    },
    ...rest,
  });

export const hasText = ({ text }: Followed): boolean => text.length > 0;

/** Reads the newest page of a session. */
export const readSession = async ({ url }: Pick<TestApp, 'url'>, id: string): Promise<Session> =>
  (await (await fetch(`${url}/sessions/${id}`)).json()) as Session;

/** An answer of many pieces. */
export const LONG = Array.from({ length: 60 }, (_, index) => `wörd${index}💥`).join(' ');

/** Gives what asks questions with keys. The model is that of `app`. */
export function keyedQuestions(app: TestApp) {
  /** A new question, its key, and how to send it. */
  function newKeyed(session_id: string = randomUUID()) {
    const fields = { question: newQuestion(), session_id };
    const address: Address = { session_id, key: `key ${randomUUID()}` };
    const headers = { 'Idempotency-Key': address.key };
    return {
      fields,
      address,
      headers,
      ask: (at = app) => ask(at, fields, headers),
      stream: (more: Record<string, string> = {}, at = app) =>
        post(at, JSON.stringify({ ...fields, stream: true }), { ...headers, ...more }),
    };
  }
  /** Sends a question whose answer {@link LONG} has begun when this resolves: a piece comes each `ms` milliseconds. */
  async function begin(keyed = newKeyed(), ms = 20, at = app) {
    app.emulator.tokenDelayMs = ms;
    app.emulator.failNext({ kind: 'answer', content: LONG });
    const response = await keyed.stream({}, at);
    return { ...keyed, response };
  }
  return { newKeyed, begin };
}
