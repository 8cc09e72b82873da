/**
 * Separates reasoning at the beginning of a text, between `<think>` and `</think>`, from the answer. DeepSeek R1, Qwen 3 and
 * others write it there when their server does not separate it (ollama/ollama-js issue 196, ggml-org/llama.cpp issue 11325).
 */

const OPEN = '<think>';
const CLOSE = '</think>';

/** Takes a text in pieces of any size, and gives it without its reasoning. */
export class InlineReasoningFilter {
  #state: 'start' | 'reasoning' | 'gap' | 'answer' = 'start';
  /** What cannot be judged yet: the beginning of a text, or of a tag. */
  #held = '';
  /** Characters of reasoning so far, and of the answer. */
  reasoningChars = 0;
  answerChars = 0;

  /** Gives what the piece adds to the answer. */
  push(piece: string): string {
    if (this.#state === 'answer') return this.#give(piece);
    this.#held += piece;
    if (this.#state === 'start' && !this.#begin())
      return this.#state === 'start' ? '' : this.#give(this.#take());
    if (this.#state === 'reasoning' && !this.#end()) return '';
    // The line breaks between the reasoning and the answer belong to neither.
    this.#held = this.#held.trimStart();
    if (this.#held === '') return '';
    this.#state = 'answer';
    return this.#give(this.#take());
  }

  /** Gives the rest, when the text has ended: one that is only the beginning of a tag. */
  flush(): string {
    return this.#state === 'start' ? this.#give(this.#take()) : '';
  }

  /** Whether the text begins with the tag. The state stays `start` until this is known. */
  #begin(): boolean {
    const text = this.#held.trimStart();
    if (text.startsWith(OPEN)) {
      this.#state = 'reasoning';
      this.#held = text.slice(OPEN.length);
      return true;
    }
    if (!OPEN.startsWith(text)) this.#state = 'answer';
    return false;
  }

  /** Drops the reasoning that has arrived. Gives whether it is complete. */
  #end(): boolean {
    const end = this.#held.indexOf(CLOSE);
    if (end < 0) {
      // The tag may have begun.
      const dropped = Math.max(0, this.#held.length - CLOSE.length + 1);
      this.reasoningChars += dropped;
      this.#held = this.#held.slice(dropped);
      return false;
    }
    this.reasoningChars += end;
    this.#held = this.#held.slice(end + CLOSE.length);
    this.#state = 'gap';
    return true;
  }

  #take(): string {
    const text = this.#held;
    this.#held = '';
    return text;
  }

  #give(text: string): string {
    this.answerChars += text.length;
    return text;
  }
}
