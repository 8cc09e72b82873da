/** The Responses API: platform.openai.com/docs/api-reference/responses */
import { AIMessage, AIMessageChunk, type MessageContent } from '@langchain/core/messages';
import { ChatGenerationChunk } from '@langchain/core/outputs';
import {
  convertMessagesToResponsesInput,
  convertResponsesDeltaToChatGenerationChunk,
  convertResponsesMessageToAIMessage,
} from '@langchain/openai';
import { StreamFailedError } from './api-client.ts';
import {
  type ApiFormat,
  type CompletionRequest,
  type EventReader,
  REFUSAL,
  toToolChoice,
} from './api-format.ts';

type Response = Parameters<typeof convertResponsesMessageToAIMessage>[0];

interface Event {
  type?: string;
  delta?: string;
  code?: string | null;
  message?: string;
  response?: Response;
}

/** The Responses API. */
export const responsesApi: ApiFormat = {
  toFields,
  toBody(request, messages) {
    // Nothing is stored at the provider, so messages cannot be named by their ids.
    const input = convertMessagesToResponsesInput({ messages, zdrEnabled: true, model: request.model });
    return request.streamed ? { ...toFields(request), input } : { input, ...toFields(request) };
  },
  toGeneration(response, request) {
    const message = convertResponsesMessageToAIMessage(response as Response);
    const refusal = takeRefusal(message);
    message.content = message.text === '' && refusal !== '' ? refusal : plain(message.content);
    const finishReason = finishReasonOf(response as Response, refusal !== '', request);
    return { text: message.text, message, generationInfo: { finish_reason: finishReason } };
  },
  createReader: (request) => new Reader(request),
};

function toFields({ model, parameters, options, streamed }: CompletionRequest): Record<string, unknown> {
  const { reasoningEffort, verbosity } = parameters;
  const format = toTextFormat(parameters.responseFormat ?? options.response_format);
  return {
    model,
    temperature: parameters.temperature,
    top_p: parameters.topP,
    stream: streamed,
    tools: options.tools?.length ? options.tools.map(flatten) : undefined,
    tool_choice: options.tool_choice && flatten(toToolChoice(options.tool_choice)),
    text: verbosity === undefined && !format ? undefined : { format, verbosity },
    parallel_tool_calls: options.parallel_tool_calls,
    max_output_tokens: parameters.maxOutputTokens,
    prompt_cache_key: parameters.promptCacheKey === false ? undefined : options.promptCacheKey,
    reasoning: reasoningEffort === undefined ? undefined : { effort: reasoningEffort },
    // The chat history is in our storage: the provider must not store anything.
    store: false,
  };
}

/** This API has the fields of a function beside its type. */
function flatten(tool: unknown): unknown {
  const { function: called, ...rest } = (typeof tool === 'object' && tool ? tool : {}) as {
    function?: object;
  };
  return called ? { ...rest, ...called } : tool;
}

function toTextFormat(format: CompletionRequest['options']['response_format']): object | undefined {
  return format?.type === 'json_schema' ? { type: 'json_schema', ...format.json_schema } : format;
}

/**
 * The finish reason under the names of chat completions; undefined when there is none. llama.cpp says `completed` for an
 * answer that was cut too (tools/server/server-task.cpp), but then it has as many tokens as it was allowed.
 */
function finishReasonOf(
  { status, incomplete_details: incomplete, usage }: Response,
  refused: boolean,
  { parameters: { maxOutputTokens = Infinity } }: CompletionRequest,
) {
  if (refused) return REFUSAL;
  if (status === 'completed') return (usage?.output_tokens ?? 0) >= maxOutputTokens ? 'length' : 'stop';
  const reason = status === 'incomplete' ? incomplete?.reason : undefined;
  return reason === 'max_output_tokens' ? 'length' : reason;
}

/** A refusal becomes the text of the message. */
function takeRefusal({ additional_kwargs: more }: AIMessage | AIMessageChunk): string {
  const { refusal } = more;
  delete more['refusal'];
  return typeof refusal === 'string' ? refusal : '';
}

/** One text instead of blocks, unless they say more. Summaries of the reasoning are in `additional_kwargs` too. */
function plain(content: MessageContent): MessageContent {
  if (typeof content === 'string') return content;
  const isPlain = content.every(
    ({ type, annotations }) =>
      type === 'reasoning' || (type === 'text' && (!Array.isArray(annotations) || annotations.length === 0)),
  );
  if (!isPlain) return content;
  return content.map((block) => (block.type === 'text' ? String(block['text']) : '')).join('');
}

const TEXT_DELTAS = new Set(['response.output_text.delta', 'response.refusal.delta']);
const LAST = new Set(['response.completed', 'response.incomplete']);

type Delta = Parameters<typeof convertResponsesDeltaToChatGenerationChunk>[0];

/**
 * Text is given as text: with the blocks of LangChain's converter, streamed JSON cannot be parsed. The model is given
 * once: LangChain appends metadata of chunks to each other.
 */
class Reader implements EventReader {
  id: string | undefined;
  isFinished = false;
  readonly #request: CompletionRequest;
  #refused = false;

  constructor(request: CompletionRequest) {
    this.#request = request;
  }

  /** @throws StreamFailedError for the events `error` and `response.failed`. */
  read(event: object): string | ChatGenerationChunk | null {
    const { type = '', delta, code, message: words, response } = event as Event;
    this.#refused ||= type === 'response.refusal.delta';
    if (TEXT_DELTAS.has(type)) return delta ?? '';
    if (type === 'error') throw new StreamFailedError({ code, message: words });
    if (type === 'response.failed') throw new StreamFailedError(response?.error ?? {});
    if (type === 'response.created') {
      this.id = response?.id;
      return null;
    }
    const chunk = convertResponsesDeltaToChatGenerationChunk(event as Delta);
    if (!chunk) return null;
    const message = chunk.message as AIMessageChunk;
    takeRefusal(message);
    message.content = LAST.has(type) ? '' : plain(message.content);
    chunk.text = message.text;
    if (this.id) message.id ??= this.id;
    if (response && LAST.has(type)) {
      const reason = finishReasonOf(response, this.#refused, this.#request);
      this.isFinished = reason !== undefined;
      chunk.generationInfo = { finish_reason: reason, model_name: response.model };
    }
    return chunk;
  }
}
