/** An answer as a stream of server-sent events. An error after the headers were sent becomes an event too. */
import type { Reply } from './response.ts';
import type { AnswerEvent } from '../ask/answer-events.ts';
import type { SessionEvent } from '../contract/answer-events.ts';
import { CallerDisconnectedError, type Caller } from './raw-request.ts';
import { errorBody, toAskError } from '../contract/errors.ts';

/** What {@link streamAnswer} needs. */
export interface AnswerStream {
  /** Told when the answer has ended, and how, even if the caller has disconnected before. */
  end: (thrown?: unknown) => void;
  events: AsyncGenerator<AnswerEvent<object>, void, void>;
  /**
   * Gives the data of the event `session`, which comes first; called when the first event is known. With an `offset`, each
   * event of text has as its id where the text after it begins.
   */
  opening: () => SessionEvent;
  /** Gives the headers of the answer. Called when the first event is known. */
  headers: () => Record<string, string>;
  caller: Caller;
  /** Aborts the wait for a slow reader. */
  signal: AbortSignal;
}

/**
 * Gives the response when the first event is known: a failure before it has its own HTTP status. The body is streamed
 * afterwards. @throws the error of `events` if it occurs before that; the question has then not ended.
 */
export async function streamAnswer(answer: AnswerStream): Promise<Reply> {
  const first = await answer.events.next();
  return {
    status: 200,
    headers: { ...SSE_HEADERS, ...answer.headers() },
    body: toBytes(answer, answer.opening(), first),
  };
}

async function* toBytes(
  answer: AnswerStream,
  opening: SessionEvent,
  first: IteratorResult<AnswerEvent<object>, void>,
): AsyncGenerator<Uint8Array, void, void> {
  const { events, caller, signal } = answer;
  let { offset } = opening;
  let failure: unknown;
  try {
    yield sseEvent('session', opening);
    for (let { value: event } = first; event; { value: event } = await events.next()) {
      if (event.type === 'token' && offset !== undefined) offset += event.text.length;
      yield toSse(event, offset);
      await caller.ready(signal);
      // After `done` the answer is complete: an abort during a slow read is no longer an error.
      if (event.type === 'done' || caller.disconnected.aborted) return;
      signal.throwIfAborted();
    }
  } catch (thrown) {
    if (thrown instanceof CallerDisconnectedError) return;
    failure = thrown;
    yield sseEvent('error', errorBody(toAskError(thrown), opening.session_id));
  } finally {
    void finish(events).then(() => answer.end(failure));
  }
}

/** Consumes the remaining events, so that the answer is completed and stored after its caller has disconnected. */
async function finish(events: AnswerStream['events']): Promise<void> {
  try {
    for await (const _ of events);
  } catch {
    // The error was sent already, or the caller has disconnected.
  }
}

/** Encodes an event. `id` is where the text after it begins, if the stream has ids. */
function toSse(event: AnswerEvent<object>, id: number | undefined): Uint8Array {
  if (event.type === 'token') return sseEvent('token', { text: event.text }, id);
  // No proxy closes the connection as idle while the model is silent.
  return event.type === 'done' ? sseEvent('done', event.answer) : sseComment('waiting for the model');
}

const encoder = new TextEncoder();

/** Encodes an event. Its data is JSON without line breaks, so it needs only one line. */
const sseEvent = (name: string, data: object, id?: number): Uint8Array =>
  encoder.encode(`${id === undefined ? '' : `id: ${id}\n`}event: ${name}\ndata: ${JSON.stringify(data)}\n\n`);

/** Encodes a comment. Clients ignore it; it keeps proxies from closing the connection as idle. */
const sseComment = (text: string): Uint8Array => encoder.encode(`: ${text}\n\n`);

/** Headers of an event stream: no cache may store it, and no proxy may buffer it. */
const SSE_HEADERS = {
  'Content-Type': 'text/event-stream; charset=utf-8',
  'Cache-Control': 'no-store',
  'X-Accel-Buffering': 'no',
};
