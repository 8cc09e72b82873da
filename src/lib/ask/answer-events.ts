/** An answer as the events of its text, for a reader of another speed than the model. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Answer } from '../contract/responses.ts';
import type { AnswerEvent } from './question.ts';

/**
 * Gives the events of an answer. `answer` begins to answer, and calls its argument with each piece of the text.
 * Answering continues to the end, even if nobody reads the events any more.
 */
export async function* answerEvents(
  answer: (onText: (text: string) => void) => Promise<Answer>,
): AsyncGenerator<AnswerEvent, void, void> {
  const tokens = new TokenQueue();
  const answering = answer((text) => tokens.push(text));
  // An error is thrown by the `await` below, unless the caller has disconnected by then.
  answering.catch(() => {}).finally(() => tokens.end());
  for await (const text of tokens) yield { type: 'token', text };
  yield { type: 'done', answer: await answering };
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

  /** Ends the iteration once all text was read. */
  end(): void {
    this.#ended = true;
    this.#wake();
  }

  /** Gives the text until the end. Supports one reader. */
  async *[Symbol.asyncIterator](): AsyncGenerator<string, void, void> {
    for (;;) {
      while (this.#unread === '' && !this.#ended) {
        await new Promise<void>((resolve) => (this.#wake = resolve));
        // Tokens arrive in bursts: waiting for the next turn of the event loop merges a burst into one piece.
        await nextTurn();
      }
      if (this.#unread === '') return;
      const text = this.#unread;
      this.#unread = '';
      yield text;
    }
  }
}
