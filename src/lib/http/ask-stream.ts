/** An answer as a stream of events. It never throws into the library: what fails after the headers is an event too. */
import type { HttpResponseInit } from '@azure/functions';
import type { AnswerEvent } from '../ask/question.ts';
import type { SessionEvent } from '../contract/responses.ts';
import { CallerLeft, type Caller } from './caller.ts';
import { type AskError, errorBody, toAskError } from '../contract/errors.ts';
import { SSE_HEADERS, sseComment, sseEvent } from './sse.ts';

/** How long headers wait for the first piece of text, so that a failure can still have its status; then comments say that all is well. */
const QUIET_MS = 15_000;

/** What a stream is made of. */
export interface AnswerStream {
  /** The events that are still to come. */
  events: AsyncGenerator<AnswerEvent, void, void>;
  /** The first event. */
  opening: SessionEvent;
  /** Headers beside those of a stream, once the first event is known. */
  headers: () => Record<string, string>;
  caller: Caller;
  /** Ends the waiting for a slow reader. */
  signal: AbortSignal;
  /** Called with what failed after the headers went out. */
  onError: (error: AskError) => void;
  /** Called once, when the answer has come to its end, also when nobody reads it any more. */
  onEnd: () => void;
}

type Next = Promise<IteratorResult<AnswerEvent, void>>;

/**
 * Gives the response once its first event is known, or after 15 s. Its body goes on by itself.
 * @throws what the events throw until then; `onEnd` is not called then.
 */
export async function streamAnswer(answer: AnswerStream): Promise<HttpResponseInit> {
  const first = answer.events.next();
  await isQuiet(first);
  return {
    status: 200,
    headers: { ...SSE_HEADERS, ...answer.headers() },
    body: ReadableStream.from(toBytes(answer, first)),
  };
}

async function* toBytes(answer: AnswerStream, first: Next): AsyncGenerator<Uint8Array, void, void> {
  const { events, opening, caller, signal } = answer;
  try {
    yield sseEvent('session', opening);
    for (let next = first; ; next = events.next()) {
      while (await isQuiet(next)) yield sseComment('waiting for the model');
      const { value: event, done } = await next;
      if (done || !event) return;
      if (event.type === 'token') yield sseEvent('token', { text: event.text });
      if (event.type === 'done') yield sseEvent('done', event.answer);
      await caller.ready(signal);
      // Nothing follows `done`: who has it has the answer, however slowly it is read.
      if (event.type === 'done' || caller.disconnected.aborted) return;
      signal.throwIfAborted();
    }
  } catch (thrown) {
    if (thrown instanceof CallerLeft) return;
    const error = toAskError(thrown);
    answer.onError(error);
    yield sseEvent('error', errorBody(error, opening.session_id));
  } finally {
    void finish(events).then(answer.onEnd);
  }
}

/** Lets an answer that nobody reads any more come to its end. */
async function finish(events: AnswerStream['events']): Promise<void> {
  try {
    for await (const _ of events);
  } catch {
    // Told already, or to nobody.
  }
}

/** True when nothing came for a while; false as soon as something does. @throws what `next` throws. */
async function isQuiet(next: Next): Promise<boolean> {
  const quiet = Promise.withResolvers<boolean>();
  const timer = setTimeout(quiet.resolve, QUIET_MS, true);
  try {
    return await Promise.race([next.then(() => false), quiet.promise]);
  } finally {
    clearTimeout(timer);
  }
}
