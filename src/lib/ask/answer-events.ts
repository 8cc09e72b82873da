/** An answer as a stream of events, buffered for a reader that is slower than the model. */
import { setImmediate as nextTurn } from 'node:timers/promises';

/**
 * The events of an answer. `token`: the next piece of the text, for streamed questions only. `quiet`: nothing has come for
 * 15 s. `done`: the answer is complete, and was stored if that was possible.
 */
export type AnswerEvent<T> =
  | { type: 'token'; text: string }
  | { type: 'quiet' }
  | { type: 'done'; answer: T };

/** Time without text, in milliseconds, after which a reader is told that there is still no text. */
const QUIET_MS = 15_000;

/**
 * Gives the events of an answer. `answer` begins to answer, and calls its argument with each piece of the text.
 * Answering continues to the end, even if nobody reads the events any more.
 */
export async function* answerEvents<T>(
  answer: (onText: (text: string) => void) => Promise<T>,
): AsyncGenerator<AnswerEvent<T>, void, void> {
  const queue = new TokenQueue();
  const answering = answer((text) => queue.push(text));
  // An error is thrown by the `await` below, unless the caller has disconnected by then.
  answering.catch(() => {}).finally(() => queue.end());
  // One timer for the whole answer: tokens that come one by one would set as many.
  const quiet = setTimeout(() => queue.wake(), QUIET_MS);
  try {
    for (let text = await queue.take(); text !== null; text = await queue.take()) {
      yield text === '' ? { type: 'quiet' } : { type: 'token', text };
      quiet.refresh();
    }
    yield { type: 'done', answer: await answering };
  } finally {
    clearTimeout(quiet);
  }
}

/** Merges unread text into one piece, so that a slow reader never holds more memory than the text itself. */
class TokenQueue {
  #unread = '';
  #ended = false;
  #wake: () => void = () => {};

  push(text: string): void {
    this.#unread += text;
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

  /** Waits for text, and gives it; null after the end. Supports one reader. */
  async take(): Promise<string | null> {
    if (this.#unread === '' && !this.#ended) {
      await new Promise<void>((resolve) => (this.#wake = resolve));
      // Tokens arrive in bursts: waiting for the next turn of the event loop merges a burst into one piece.
      await nextTurn();
    }
    const text = this.#unread;
    this.#unread = '';
    return text === '' && this.#ended ? null : text;
  }
}
