/** An answer as a stream of server-sent events. An error after the headers were sent becomes an event too. */
import type { Reply } from './response.ts';
import type { AnswerEvent } from '../ask/answer-events.ts';
import type { SessionEvent, StatusEvent } from '../contract/answer-events.ts';
import { CallerDisconnectedError, type Caller } from './raw-request.ts';
import { type AskError, errorBody, toAskError } from '../contract/errors.ts';

/** How an API writes an answer as events; each function gives the text of one or several. */
export interface EventFormat<T> {
  /** Comes first. Called when the first event is known. */
  opening(): string;
  token(text: string): string;
  /** A rate limit of the model is waited out, `ms` milliseconds are left. Undefined for an API without such an event. */
  waiting?(ms: number): string;
  done(answer: T): string;
  error(error: AskError): string;
}

/** What {@link streamAnswer} needs. */
export interface AnswerStream<T> {
  /** Told when the answer has ended, and how, even if the caller has disconnected before. */
  end: (thrown?: unknown) => void;
  events: AsyncGenerator<AnswerEvent<T>, void, void>;
  format: EventFormat<T>;
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
export async function streamAnswer<T>(answer: AnswerStream<T>): Promise<Reply> {
  const first = await answer.events.next();
  return {
    status: 200,
    headers: { ...SSE_HEADERS, ...answer.headers() },
    body: toBytes(answer, answer.format.opening(), first),
  };
}

async function* toBytes<T>(
  answer: AnswerStream<T>,
  opening: string,
  first: IteratorResult<AnswerEvent<T>, void>,
): AsyncGenerator<Uint8Array, void, void> {
  const { events, format, caller, signal } = answer;
  const encoder = new TextEncoder();
  let failure: unknown;
  try {
    yield encoder.encode(opening);
    for (let { value: event } = first; event; { value: event } = await events.next()) {
      yield encoder.encode(toSse(event, format));
      await caller.ready(signal);
      // After `done` the answer is complete: an abort during a slow read is no longer an error.
      if (event.type === 'done' || caller.disconnected.aborted) return;
      signal.throwIfAborted();
    }
  } catch (thrown) {
    if (thrown instanceof CallerDisconnectedError) return;
    failure = thrown;
    yield encoder.encode(format.error(toAskError(thrown)));
  } finally {
    void finish(events).then(() => answer.end(failure));
  }
}

/** Consumes the remaining events, so that the answer is completed and stored after its caller has disconnected. */
async function finish(events: AsyncGenerator<unknown, void, void>): Promise<void> {
  try {
    for await (const _ of events);
  } catch {
    // The error was sent already, or the caller has disconnected.
  }
}

function toSse<T>(event: AnswerEvent<T>, format: EventFormat<T>): string {
  if (event.type === 'token') return format.token(event.text);
  if (event.type === 'done') return format.done(event.answer);
  const status = event.type === 'waiting' ? format.waiting?.(event.ms) : undefined;
  // No proxy closes the connection as idle while the model is silent. Clients ignore comments.
  return status ?? ': waiting for the model\n\n';
}

/**
 * The events of this app's own API. When the opening has an `offset`, each event of text has as its id where the text after
 * it begins.
 */
export function ownEvents(openingOf: () => SessionEvent): EventFormat<object> {
  let opening: SessionEvent;
  let offset: number | undefined;
  return {
    opening() {
      opening = openingOf();
      ({ offset } = opening);
      return sseEvent('session', opening);
    },
    token(text) {
      if (offset !== undefined) offset += text.length;
      return sseEvent('token', { text }, offset);
    },
    waiting: (ms) => sseEvent('status', { state: 'rate_limited', retry_in: ms / 1000 } satisfies StatusEvent),
    done: (answer) => sseEvent('done', answer),
    error: (error) => sseEvent('error', errorBody(error, opening.session_id)),
  };
}

/** Writes an event. Its data is JSON without line breaks, so it needs only one line. */
const sseEvent = (name: string, data: object, id?: number): string =>
  `${id === undefined ? '' : `id: ${id}\n`}event: ${name}\ndata: ${JSON.stringify(data)}\n\n`;

/** Headers of an event stream: no cache may store it, and no proxy may buffer it. */
const SSE_HEADERS = {
  'Content-Type': 'text/event-stream; charset=utf-8',
  'Cache-Control': 'no-store',
  'X-Accel-Buffering': 'no',
};
