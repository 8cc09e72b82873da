/** Recalls earlier questions with the arrow keys, as a shell does. */

/** Steps through the questions of a conversation. */
export class Recall {
  readonly #input: HTMLTextAreaElement;
  #questions: readonly string[] = [];
  /** Index of the question that is shown; undefined while none is recalled. */
  #at: number | undefined;

  constructor(input: HTMLTextAreaElement) {
    this.#input = input;
  }

  /** Whether the input has a recalled question that was not changed. */
  get isActive(): boolean {
    return this.#at !== undefined && this.#input.value === this.#questions[this.#at];
  }

  /**
   * Gives the text that a key puts into the input; undefined for keys that do something else. `questions` are those of
   * the conversation, the oldest first. ArrowUp begins in an empty input only, and then goes to older ones.
   */
  textFor({ key }: KeyboardEvent, questions: readonly string[]): string | undefined {
    const { value, selectionStart } = this.#input;
    // The arrows move the cursor in a text that is changed, or whose end the cursor has left.
    const isAtEnd = this.isActive && selectionStart === value.length;
    if (key === 'ArrowUp' && value === '') {
      this.#questions = questions.filter((each, index) => each !== questions[index + 1]);
      return this.#show(this.#questions.length - 1);
    }
    if (!isAtEnd || this.#at === undefined) return undefined;
    if (key === 'ArrowUp') return this.#show(Math.max(0, this.#at - 1));
    if (key === 'ArrowDown') return this.#show(this.#at + 1) ?? this.end();
    return undefined;
  }

  /** Ends the recall. Returns the text that was in the input before it: none. */
  end(): string {
    this.#at = undefined;
    return '';
  }

  #show(at: number): string | undefined {
    const question = this.#questions[at];
    if (question !== undefined) this.#at = at;
    return question;
  }
}
