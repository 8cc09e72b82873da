/** One request to the model through LangChain, streamed or not. */
import { coerceMessageLikeToMessage, type UsageMetadata } from '@langchain/core/messages';
import type { ChatOpenAICompletions } from '@langchain/openai';
import type { ConnectionRecord } from '../pool/connection-record.ts';
import { errors } from '../contract/errors.ts';
import type { Completion, Message } from './completion.ts';
import { toModelError } from './model-errors.ts';
import type { ModelParameters } from './parameters.ts';

/** One request to the model. */
export interface ModelRequest {
  prompt: Message[];
  parameters: ModelParameters;
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
  response_metadata: { finish_reason?: string | undefined; model_name?: string | undefined };
  usage_metadata?: UsageMetadata | undefined;
}

/**
 * Sends one request that is not streamed.
 * @throws AskError when the model fails or refuses, or the reason of the signal when the request was aborted.
 */
export async function complete(model: ChatOpenAICompletions, request: ModelRequest): Promise<Completion> {
  const { prompt, parameters, record, signal, onResponse } = request;
  // LangChain passes `options` to the OpenAI client, and that passes `fetchOptions` to our fetch: both are untyped.
  const options = { signal, parameters, options: { fetchOptions: { record, onResponse } } };
  let message: ModelMessage;
  try {
    message = await model.invoke(prompt, options as Partial<ChatOpenAICompletions['ParsedCallOptions']>);
  } catch (error) {
    throw signal.aborted ? signal.reason : toModelError(error, record);
  }
  return toCompletion(message, parameters);
}

/**
 * Sends one streamed request and calls `onToken` for each piece of text.
 * @throws as {@link complete}, possibly after some calls of `onToken`.
 */
export async function stream(
  model: ChatOpenAICompletions,
  request: ModelRequest,
  onToken: (text: string) => void,
): Promise<Completion> {
  const { prompt, parameters, record, signal, onResponse } = request;
  // LangChain passes `fetchOptions` to the OpenAI client, and that passes them to our fetch: both are untyped.
  const options = { signal, parameters, fetchOptions: { record, onResponse } };
  const message = { text: '', response_metadata: {}, usage_metadata: undefined } as ModelMessage;
  // A chunk may end in the middle of a surrogate pair; the first half is held back until the second one arrives.
  let half = '';
  try {
    // LangChain's public `stream` adds callbacks and a web stream, which doubles the CPU time: docs/performance.md.
    // oxlint-disable-next-line no-underscore-dangle -- LangChain documents this method for implementers of models
    const chunks = model._streamResponseChunks(prompt.map(coerceMessageLikeToMessage), options);
    for await (const { message: chunkMessage, generationInfo } of chunks) {
      const chunk = chunkMessage as unknown as ModelMessage;
      Object.assign(message.response_metadata, generationInfo);
      message.usage_metadata ??= chunk.usage_metadata;
      message.id ??= chunk.id;
      const text = half + chunk.text;
      half = /[\ud800-\udbff]$/.exec(text)?.[0] ?? '';
      const token = text.slice(0, text.length - half.length).toWellFormed();
      message.text += token;
      if (token !== '') onToken(token);
    }
  } catch (error) {
    throw signal.aborted ? signal.reason : toModelError(error, record);
  }
  // No finish_reason: the stream was cut off, even if it closed cleanly.
  if (message.response_metadata.finish_reason === undefined) {
    throw errors.modelUnavailable(new Error('the stream ended without a finish_reason'));
  }
  return toCompletion(message, parameters);
}

function toCompletion(message: ModelMessage, parameters: ModelParameters): Completion {
  const usage = message.usage_metadata;
  return {
    // JSON may contain a lone surrogate, which cannot be encoded as UTF-8.
    text: message.text.toWellFormed(),
    finishReason: message.response_metadata.finish_reason ?? '',
    tokens: {
      prompt: usage?.input_tokens ?? 0,
      completion: usage?.output_tokens ?? 0,
      cached: usage?.input_token_details?.cache_read ?? 0,
    },
    id: message.id,
    model: message.response_metadata.model_name,
    parameters,
  };
}
