/** One request to the model through LangChain, streamed or not. */
import type { UsageMetadata } from '@langchain/core/messages';
import type { PooledCallOptions } from './api-format.ts';
import type { CallRecord, Completion } from './completion.ts';
import { toModelError } from './model-errors.ts';
import type { PooledChatModel } from './pooled-chat-model.ts';

/** The part of LangChain's messages that is read here. LangChain types the metadata as `any`. */
interface Answer {
  text: string;
  id?: string | undefined;
  response_metadata: { finish_reason?: string; model_name?: string };
  usage_metadata?: UsageMetadata | undefined;
}

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
  try {
    if (!onText) return toAnswered(await model.invoke(call.prompt, options));
    const onToken = inWholeCharacters((text) => {
      if (signal.aborted) return;
      call.firstTokenAt ??= performance.now();
      onText(text);
    });
    return toAnswered(await join(await model.stream(call.prompt, options), onToken));
  } catch (error) {
    throw signal.aborted ? signal.reason : toModelError(error, record);
  }
}

/** Joins the chunks of a stream. LangChain's `concat` would copy all that came before for each of them. */
async function join(chunks: AsyncIterable<Answer>, onText: (text: string) => void): Promise<Answer> {
  const whole: Answer = { text: '', id: undefined, response_metadata: {} };
  for await (const { text, id, response_metadata: metadata, usage_metadata: usage } of chunks) {
    if (text !== '') {
      whole.text += text;
      onText(text);
    }
    whole.id ??= id;
    Object.assign(whole.response_metadata, metadata);
    if (usage) whole.usage_metadata = usage;
  }
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

function toAnswered({ text, id, usage_metadata: usage, response_metadata: metadata }: Answer): Answered {
  return {
    // JSON may contain a lone surrogate, which cannot be encoded as UTF-8.
    text: text.toWellFormed(),
    finishReason: metadata.finish_reason ?? '',
    tokens: {
      prompt: usage?.input_tokens ?? 0,
      completion: usage?.output_tokens ?? 0,
      cached: usage?.input_token_details?.cache_read ?? 0,
      cacheWrite: usage?.input_token_details?.cache_creation ?? 0,
      reasoning: usage?.output_token_details?.reasoning ?? 0,
    },
    id,
    model: metadata.model_name,
  };
}
