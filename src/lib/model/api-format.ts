/** What the two APIs of the models have in common, as {@link PooledChatModel} sees it. */
import type { ToolDefinition } from '@langchain/core/language_models/base';
import type { BaseChatModelCallOptions, ToolChoice } from '@langchain/core/language_models/chat_models';
import type { BaseMessage } from '@langchain/core/messages';
import type { ChatGeneration, ChatGenerationChunk } from '@langchain/core/outputs';
import type { Exchange } from '../pool/http-client.ts';
import type { ModelParameters, ResponseFormat } from './parameters.ts';

/** Options of one call, beside those of every LangChain model. */
export interface PooledCallOptions extends BaseChatModelCallOptions {
  /** Parameters of this call instead of those of the model. */
  parameters?: ModelParameters;
  /** The record of the request, and the signal that aborts it. */
  exchange?: Exchange;
  /** In the form of chat completions, as `bindTools` makes them. */
  tools?: (ToolDefinition | { type: string })[];
  parallel_tool_calls?: boolean;
  /** Sent as `prompt_cache_key`, unless the parameters say that the model does not take it. */
  promptCacheKey?: string;
  /** In the form of chat completions: `json_object` or `json_schema`. */
  response_format?: ResponseFormat;
}

/** The request for a completion. */
export interface CompletionRequest {
  model: string;
  parameters: ModelParameters;
  options: PooledCallOptions;
  streamed: boolean;
}

/** Reads the events of one stream. */
export interface EventReader {
  /** The id of the answer; undefined before it is known, and when the server gives none. */
  readonly id: string | undefined;
  /** Whether the model has said why the answer ends. */
  readonly isFinished: boolean;
  /** Gives a piece of text, or a chunk when the event says more, or null for nothing. */
  read(event: object): string | ChatGenerationChunk | null;
}

/** How one of the two APIs writes requests and answers. */
export interface ApiFormat {
  /** The fields of a body, without the messages. Undefined ones are not sent. */
  toFields(request: CompletionRequest): Record<string, unknown>;
  /** The fields of a body with the messages. */
  toBody(request: CompletionRequest, messages: BaseMessage[]): Record<string, unknown>;
  /** Reads a response that is not streamed. */
  toGeneration(response: object, request: CompletionRequest): ChatGeneration;
  /** Creates the reader for one stream. */
  createReader(request: CompletionRequest): EventReader;
}

/** The finish reason of an answer in which the model says why it does not answer. It is not cached. */
export const REFUSAL = 'refusal';

/** The tool that the model has to use, in the form of chat completions. */
export function toToolChoice(choice: ToolChoice): unknown {
  if (choice === 'any') return 'required';
  const isWord = choice === 'auto' || choice === 'none' || choice === 'required';
  return typeof choice === 'string' && !isWord ? { type: 'function', function: { name: choice } } : choice;
}
