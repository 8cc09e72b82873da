/** Buffers streamed text between the model and a reader of another speed. */
import { setImmediate as nextTurn } from 'node:timers/promises';

/** Merges unread text into one piece, so that a slow reader never holds more memory than the text itself. */
export class TokenQueue {
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
