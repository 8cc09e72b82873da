/** One request to the model through LangChain, streamed or not, and its answer without inline reasoning. */
import type { UsageMetadata } from '@langchain/core/messages';
import type { PooledCallOptions } from './api-format.ts';
import type { CallRecord, Completion } from './completion.ts';
import { toModelError } from './model-errors.ts';
import type { PooledChatModel } from './pooled-chat-model.ts';

/** The part of LangChain's messages that is read here. LangChain types the metadata as `any`. */
interface Answer {
  content: unknown;
  text: string;
  id?: string | undefined;
  response_metadata: { finish_reason?: string; model_name?: string };
  usage_metadata?: UsageMetadata | undefined;
}

/** The message that the chunks of a stream make. */
type Whole = Omit<Answer, 'content'>;

/** A completion without the target of its request. */
type Answered = Omit<Completion, 'target'>;

type Options = Required<Pick<PooledCallOptions, 'parameters' | 'exchange'>>;

/**
 * Sends one request, and calls `onText` with each piece of the text when it is given.
 * @throws AskError when the model fails or refuses, or the reason of the signal when the request was aborted.
 */
export async function ask(
  model: PooledChatModel,
  call: CallRecord,
  options: Options,
  onText: ((text: string) => void) | undefined,
): Promise<Answered> {
  const { signal, record } = options.exchange;
  const filter = new InlineReasoningFilter();
  try {
    if (!onText) {
      const answer = await model.invoke(call.prompt, options);
      return toAnswered(answer, filter.push(answer.text) + filter.flush(), filter);
    }
    const onToken = inWholeCharacters((text) => {
      if (signal.aborted) return;
      call.firstTokenAt ??= performance.now();
      onText(text);
    });
    const whole = await join(await model.stream(call.prompt, options), filter, onToken);
    return toAnswered(whole, whole.text, filter);
  } catch (error) {
    throw signal.aborted ? signal.reason : toModelError(error, record);
  }
}

/** Joins the chunks of a stream. LangChain's `concat` would copy all that came before for each of them. */
async function join(
  chunks: AsyncIterable<Answer>,
  filter: InlineReasoningFilter,
  onText: (text: string) => void,
): Promise<Whole> {
  const whole: Whole = { text: '', id: undefined, response_metadata: {} };
  const add = (text: string): void => {
    if (text === '') return;
    whole.text += text;
    onText(text);
  };
  for await (const chunk of chunks) {
    const { content, id, response_metadata: metadata, usage_metadata: usage } = chunk;
    // LangChain finds out the text of a message by converting its content to blocks.
    add(filter.push(typeof content === 'string' ? content : chunk.text));
    whole.id ??= id;
    Object.assign(whole.response_metadata, metadata);
    if (usage) whole.usage_metadata = usage;
  }
  add(filter.flush());
  return whole;
}

/** A piece may end in the middle of a surrogate pair: its first half is held back until the second one arrives. */
function inWholeCharacters(onToken: (text: string) => void): (piece: string) => void {
  let half = '';
  return (piece) => {
    const text = half + piece;
    half = /[\ud800-\udbff]$/.exec(text)?.[0] ?? '';
    const token = text.slice(0, text.length - half.length).toWellFormed();
    if (token !== '') onToken(token);
  };
}

function toAnswered(
  { id, usage_metadata: usage, response_metadata: metadata }: Whole,
  text: string,
  { reasoningChars, answerChars }: InlineReasoningFilter,
): Answered {
  const completion = usage?.output_tokens ?? 0;
  // An estimate, for a server that does not count reasoning in the text.
  const inline = Math.round((completion * reasoningChars) / Math.max(1, reasoningChars + answerChars));
  return {
    // JSON may contain a lone surrogate, which cannot be encoded as UTF-8.
    text: text.toWellFormed(),
    finishReason: metadata.finish_reason ?? '',
    tokens: {
      prompt: usage?.input_tokens ?? 0,
      completion,
      cached: usage?.input_token_details?.cache_read ?? 0,
      cacheWrite: usage?.input_token_details?.cache_creation ?? 0,
      reasoning: usage?.output_token_details?.reasoning || inline,
    },
    id,
    model: metadata.model_name,
  };
}

const OPEN = '<think>';
const CLOSE = '</think>';

/**
 * Takes a text in pieces of any size, and gives it without the reasoning at its beginning, between `<think>` and `</think>`.
 * DeepSeek R1, Qwen 3 and others write it there when their server does not separate it (ollama/ollama-js issue 196,
 * ggml-org/llama.cpp issue 11325).
 */
class InlineReasoningFilter {
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
