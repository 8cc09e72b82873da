/** Text that comes piece by piece and is read at another pace. */

import { setImmediate as nextTurn } from 'node:timers/promises';

/** Holds what was not read yet; a slow reader gets it in larger pieces, so that it never is more than the text itself. */
export class TokenQueue {
  #unread = '';
  #ended = false;
  #wake: () => void = () => {};

  push(text: string): void {
    this.#unread += text;
    this.#wake();
  }

  /** Nothing more will come. */
  end(): void {
    this.#ended = true;
    this.#wake();
  }

  /** Gives what comes until the end; for one reader. */
  async *[Symbol.asyncIterator](): AsyncGenerator<string, void, void> {
    for (;;) {
      while (this.#unread === '' && !this.#ended) {
        await new Promise<void>((resolve) => (this.#wake = resolve));
        // What came in the same moment goes on as one piece: a model's tokens come in bursts.
        await nextTurn();
      }
      if (this.#unread === '') return;
      const text = this.#unread;
      this.#unread = '';
      yield text;
    }
  }
}
