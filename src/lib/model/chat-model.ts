/** One request to the model through LangChain, streamed or not. */
import { coerceMessageLikeToMessage, type UsageMetadata } from '@langchain/core/messages';
import type { ChatOpenAICompletions } from '@langchain/openai';
import type { ConnectionRecord } from '../pool/connection-record.ts';
import { errors } from '../contract/errors.ts';
import type { Completion, Message, ModelTarget } from './completion.ts';
import type { ApiCall } from './api-client.ts';
import type { LangChainModel, RequestOptions } from './langchain-model.ts';
import { toModelError } from './model-errors.ts';
import { REFUSAL } from './stream-events.ts';

/** One request to the model. */
export interface ModelRequest {
  prompt: Message[];
  target: ModelTarget;
  /** Helps the provider to find the cached beginning of the prompt. Not sent to a model that does not take it. */
  promptCacheKey?: string | undefined;
  /** A reasoning model may be silent until the deadline: the HTTP client's shorter time limits do not apply. */
  patient: boolean;
  /** Filled in with the connection of the request. */
  record: ConnectionRecord;
  /** Aborts the request, which then rejects with the signal's reason. */
  signal: AbortSignal;
  /** Called with the HTTP status when the response headers arrive. */
  onResponse: (status: number) => void;
}

/** The part of LangChain's messages that is used here. LangChain types the metadata as `any`. */
interface ModelMessage {
  text: string;
  id?: string | undefined;
  /** Chat completions have `finish_reason`, the Responses API has `status`. */
  response_metadata: {
    finish_reason?: string | undefined;
    status?: string | undefined;
    incomplete_details?: { reason?: string } | null;
    model_name?: string | undefined;
  };
  additional_kwargs?: Record<string, unknown> | undefined;
  usage_metadata?: UsageMetadata | undefined;
}

/**
 * Sends one request that is not streamed.
 * @throws AskError when the model fails or refuses, or the reason of the signal when the request was aborted.
 */
export async function complete(model: LangChainModel, request: ModelRequest): Promise<Completion> {
  const { prompt, target, patient, record, signal, onResponse } = request;
  const call: ApiCall = { signal, record, onResponse, patient };
  // LangChain passes the inner `options` to its client.
  const options = { signal, ...parametersIn(request), options: { call } satisfies RequestOptions };
  let message: ModelMessage;
  try {
    // Both kinds of models have the same methods, as far as they are used here.
    message = await (model as ChatOpenAICompletions).invoke(
      prompt,
      options as Partial<ChatOpenAICompletions['ParsedCallOptions']>,
    );
  } catch (error) {
    throw signal.aborted ? signal.reason : toModelError(error, record);
  }
  return toCompletion(message, target);
}

/**
 * Sends one streamed request and calls `onToken` for each piece of text.
 * @throws as {@link complete}, possibly after some calls of `onToken`.
 */
export async function stream(
  model: LangChainModel,
  request: ModelRequest,
  onToken: (text: string) => void,
): Promise<Completion> {
  const { prompt, target, patient, record, signal, onResponse } = request;
  const message = { text: '', response_metadata: {}, usage_metadata: undefined } as ModelMessage;
  const onText = inWholeCharacters((token) => {
    if (signal.aborted) return;
    message.text += token;
    onToken(token);
  });
  const call: ApiCall = { signal, record, onResponse, patient };
  // LangChain passes all options to its client.
  const options = { signal, ...parametersIn(request), ...({ call, onText } satisfies RequestOptions) };
  try {
    // LangChain's public `stream` adds callbacks and a web stream, which doubles the CPU time: docs/performance.md.
    // oxlint-disable-next-line no-underscore-dangle -- LangChain documents this method for implementers of models
    const chunks = (model as ChatOpenAICompletions)._streamResponseChunks(
      prompt.map(coerceMessageLikeToMessage),
      options,
    );
    for await (const { message: chunkMessage, generationInfo } of chunks) {
      const chunk = chunkMessage as unknown as ModelMessage;
      Object.assign(message.response_metadata, chunk.response_metadata, generationInfo);
      if (refusalOf(chunk) !== '') message.additional_kwargs = chunk.additional_kwargs;
      message.usage_metadata ??= chunk.usage_metadata;
      message.id ??= chunk.id;
    }
  } catch (error) {
    throw signal.aborted ? signal.reason : toModelError(error, record);
  }
  // No finish_reason: the stream was cut off, even if it closed cleanly.
  if (finishReasonOf(message) === '') {
    throw errors.modelUnavailable(new Error('the stream ended without a finish_reason'));
  }
  return toCompletion(message, target);
}

/** The call options with the parameters. LangChain sends `promptCacheKey` as `prompt_cache_key`. */
const parametersIn = ({ target: { parameters }, promptCacheKey }: ModelRequest) => ({
  parameters,
  ...(promptCacheKey !== undefined && parameters.promptCacheKey !== false && { promptCacheKey }),
});

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

/** Returns the finish reason under the names of chat completions; empty when there is none. */
function finishReasonOf({ response_metadata: metadata }: ModelMessage): string {
  const { finish_reason: finishReason, status, incomplete_details: incomplete } = metadata;
  if (finishReason !== undefined) return finishReason;
  if (status === 'completed') return 'stop';
  const reason = status === 'incomplete' ? incomplete?.reason : undefined;
  return reason === 'max_output_tokens' ? 'length' : (reason ?? '');
}

const refusalOf = ({ additional_kwargs: more }: ModelMessage): string =>
  typeof more?.['refusal'] === 'string' ? more['refusal'] : '';

function toCompletion(message: ModelMessage, target: ModelTarget): Completion {
  const usage = message.usage_metadata;
  const refusal = message.text === '' ? refusalOf(message) : '';
  return {
    // JSON may contain a lone surrogate, which cannot be encoded as UTF-8.
    text: (message.text || refusal).toWellFormed(),
    finishReason: refusal === '' ? finishReasonOf(message) : REFUSAL,
    tokens: {
      prompt: usage?.input_tokens ?? 0,
      completion: usage?.output_tokens ?? 0,
      cached: usage?.input_token_details?.cache_read ?? 0,
      cacheWrite: usage?.input_token_details?.cache_creation ?? 0,
      reasoning: usage?.output_token_details?.reasoning ?? 0,
    },
    id: message.id,
    model: message.response_metadata.model_name,
    target,
  };
}
