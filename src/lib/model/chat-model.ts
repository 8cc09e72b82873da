/** One request to the model through LangChain, plain or streamed, and what it answered. */
import type { Completion } from './completion.ts';
import { coerceMessageLikeToMessage, type UsageMetadata } from '@langchain/core/messages';
import type { ChatOpenAICompletions } from '@langchain/openai';
import type { ConnectionRecord } from '../pool/connection-record.ts';
import { errors } from '../contract/errors.ts';
import { toModelError } from './model-errors.ts';
import type { ModelParameters } from './parameters.ts';
import type { Message } from './completion.ts';

/** How one request is made. */
export interface ModelRequest {
  prompt: Message[];
  parameters: ModelParameters;
  /** Learns about the connection. */
  record: ConnectionRecord;
  /** Ends the request; its reason is thrown. */
  signal: AbortSignal;
  /** Is told the status when the headers of the answer are there. */
  onResponse: (status: number) => void;
}

/** What LangChain gives, as far as we read it; it types the metadata as anything. */
interface ModelMessage {
  text: string;
  id?: string | undefined;
  response_metadata: { finish_reason?: string | undefined; model_name?: string | undefined };
  usage_metadata?: UsageMetadata | undefined;
}

/**
 * Asks the model once.
 * @throws AskError for what the model's side did wrong, or the reason of the signal when that ended the request.
 */
export async function complete(model: ChatOpenAICompletions, request: ModelRequest): Promise<Completion> {
  const { prompt, parameters, record, signal, onResponse } = request;
  // LangChain hands `options` to the OpenAI client, and that hands `fetchOptions` to our fetch; neither type knows it.
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
 * Asks the model once and hands on its text as it comes. Otherwise as {@link complete}; what it throws after the first
 * piece of text ends an answer that was begun.
 */
export async function stream(
  model: ChatOpenAICompletions,
  request: ModelRequest,
  onToken: (text: string) => void,
): Promise<Completion> {
  const { prompt, parameters, record, signal, onResponse } = request;
  // LangChain hands `fetchOptions` on to the OpenAI client, and that to our fetch; neither type knows it.
  const options = { signal, parameters, fetchOptions: { record, onResponse } };
  const whole = { text: '', response_metadata: {}, usage_metadata: undefined } as ModelMessage;
  // Half of a surrogate pair waits for its other half.
  let half = '';
  try {
    // What `stream` adds to it, callbacks and a stream of the web, takes as much CPU again: docs/performance.md.
    // oxlint-disable-next-line no-underscore-dangle -- LangChain names so what models implement, and documents it
    const chunks = model._streamResponseChunks(prompt.map(coerceMessageLikeToMessage), options);
    for await (const { message, generationInfo } of chunks) {
      const chunk = message as unknown as ModelMessage;
      Object.assign(whole.response_metadata, generationInfo);
      whole.usage_metadata ??= chunk.usage_metadata;
      whole.id ??= chunk.id;
      const text = half + chunk.text;
      half = /[\ud800-\udbff]$/.exec(text)?.[0] ?? '';
      const token = text.slice(0, text.length - half.length).toWellFormed();
      whole.text += token;
      if (token !== '') onToken(token);
    }
  } catch (error) {
    throw signal.aborted ? signal.reason : toModelError(error, record);
  }
  // No finish_reason: the stream was cut off, even if it closed cleanly.
  if (whole.response_metadata.finish_reason === undefined) {
    throw errors.modelUnavailable(new Error('the stream ended without a finish_reason'));
  }
  return toCompletion(whole, parameters);
}

function toCompletion(message: ModelMessage, parameters: ModelParameters): Completion {
  const usage = message.usage_metadata;
  return {
    // A lone surrogate cannot be stored or sent as UTF-8; JSON from the model could hold one.
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
