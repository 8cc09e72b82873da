/** The text of an answer as progress notifications, at most ten a second: each is a message that the client handles. */

const INTERVAL_MS = 100;

/** What a progress notification says. */
export interface ProgressParams extends Record<string, unknown> {
  progressToken: string | number;
  /** The number of characters so far: progress has to grow, and the length of the answer is not known before its end. */
  progress: number;
  /** The text since the notification before. */
  message: string;
}

/** The progress of one answer. */
export class Progress {
  readonly #token: string | number;
  readonly #send: (params: ProgressParams) => Promise<void>;
  #unsent = '';
  #chars = 0;
  #sentAt = -Infinity;

  constructor(token: string | number, send: (params: ProgressParams) => Promise<void>) {
    this.#token = token;
    this.#send = send;
  }

  /** Adds text. It is sent at once, or with the text after it when a notification was sent just now. */
  async add(text: string): Promise<void> {
    this.#unsent += text;
    if (performance.now() - this.#sentAt >= INTERVAL_MS) await this.flush();
  }

  /** Sends the text that was not sent yet. */
  async flush(): Promise<void> {
    if (this.#unsent === '') return;
    const message = this.#unsent;
    this.#unsent = '';
    this.#chars += message.length;
    this.#sentAt = performance.now();
    await this.#send({ progressToken: this.#token, progress: this.#chars, message });
  }
}
