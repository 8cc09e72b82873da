/** An answer as a stream of events, buffered for a reader that is slower than the model. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { AnswerReader } from '../model/completion.ts';

/**
 * The events of an answer. `token`: the next piece of the text, for streamed questions only. `waiting`: a rate limit of the
 * model is waited out, `ms` milliseconds are left. `quiet`: nothing has come for 15 s. `done`: the answer is complete, and
 * was stored if that was possible.
 */
export type AnswerEvent<T> =
  | { type: 'token'; text: string }
  | { type: 'waiting'; ms: number }
  | { type: 'quiet' }
  | { type: 'done'; answer: T };

/** Time without text, in milliseconds, after which a reader is told that there is still no text. */
const QUIET_MS = 15_000;

/**
 * Gives the events of an answer. `answer` begins to answer, and tells its argument what comes. Answering continues to the
 * end, even if nobody reads the events any more.
 */
export async function* answerEvents<T>(
  answer: (reader: Required<AnswerReader>) => Promise<T>,
): AsyncGenerator<AnswerEvent<T>, void, void> {
  const queue = new EventQueue();
  const answering = answer({ onText: (text) => queue.push(text), onWait: (ms) => queue.wait(ms) });
  // An error is thrown by the `await` below, unless the caller has disconnected by then.
  answering.catch(() => {}).finally(() => queue.end());
  // One timer for the whole answer: tokens that come one by one would set as many.
  const quiet = setTimeout(() => queue.wake(), QUIET_MS);
  try {
    for (let event = await queue.take(); event !== null; event = await queue.take()) {
      yield event;
      quiet.refresh();
    }
    yield { type: 'done', answer: await answering };
  } finally {
    clearTimeout(quiet);
  }
}

/** Merges unread text into one piece, so that a slow reader never holds more memory than the text itself. */
class EventQueue {
  #unread = '';
  #waitsUntil: number | null = null;
  #ended = false;
  #wake: () => void = () => {};

  push(text: string): void {
    this.#unread += text;
    this.#wake();
  }

  /** A wait of this time in milliseconds has begun. */
  wait(ms: number): void {
    this.#waitsUntil = performance.now() + ms;
    this.#wake();
  }

  /** The last text has come. */
  end(): void {
    this.#ended = true;
    this.#wake();
  }

  /** Ends the wait of the reader, even without text. */
  wake(): void {
    this.#wake();
  }

  /** Waits for the next event, and gives it; null after the end. Supports one reader. */
  async take(): Promise<AnswerEvent<never> | null> {
    if (this.#unread === '' && this.#waitsUntil === null && !this.#ended) {
      await new Promise<void>((resolve) => (this.#wake = resolve));
      // Tokens arrive in bursts: waiting for the next turn of the event loop merges a burst into one piece.
      await nextTurn();
    }
    const [text, waitsUntil] = [this.#unread, this.#waitsUntil];
    this.#unread = '';
    this.#waitsUntil = null;
    if (text !== '') return { type: 'token', text };
    if (this.#ended) return null;
    if (waitsUntil === null) return { type: 'quiet' };
    return { type: 'waiting', ms: Math.max(0, waitsUntil - performance.now()) };
  }
}
