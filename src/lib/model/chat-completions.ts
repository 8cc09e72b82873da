/** The chat completions API: platform.openai.com/docs/api-reference/chat */
import { AIMessage, AIMessageChunk, type UsageMetadata } from '@langchain/core/messages';
import type { ToolCallChunk } from '@langchain/core/messages/tool';
import { ChatGenerationChunk } from '@langchain/core/outputs';
import {
  convertCompletionsMessageToBaseMessage,
  convertMessagesToCompletionsMessageParams,
} from '@langchain/openai';
import {
  type ApiFormat,
  type CompletionRequest,
  type EventReader,
  REFUSAL,
  toToolChoice,
} from './api-format.ts';

interface Usage {
  prompt_tokens: number;
  completion_tokens: number;
  total_tokens: number;
  prompt_tokens_details?: { cached_tokens?: number; cache_write_tokens?: number } | null;
  completion_tokens_details?: { reasoning_tokens?: number } | null;
}

interface ToolCallDelta {
  index: number;
  id?: string;
  function?: { name?: string; arguments?: string };
}

interface Event {
  id?: string;
  model?: string;
  system_fingerprint?: string | null;
  choices?: { delta?: Delta | null; finish_reason?: string | null }[];
  usage?: Usage | null;
}

interface Delta {
  content?: unknown;
  refusal?: string | null;
  tool_calls?: ToolCallDelta[] | null;
}

type Response = Parameters<typeof convertCompletionsMessageToBaseMessage>[0]['rawResponse'];

/** Chat completions. */
export const chatCompletions: ApiFormat = {
  toFields,
  toBody: (request, messages) => ({
    ...toFields(request),
    messages: convertMessagesToCompletionsMessageParams({ messages, model: request.model }),
  }),
  toGeneration(response) {
    const { choices, usage, model } = response as Partial<Response> & { usage?: Usage };
    const choice = choices?.[0];
    if (!choice) throw new Error('the response has no choice');
    const { refusal } = choice.message;
    const content = refusal || choice.message.content;
    const message = convertCompletionsMessageToBaseMessage({
      message: { ...choice.message, content, role: 'assistant' },
      rawResponse: response as Response,
    }) as AIMessage;
    if (usage) Object.assign(message, { usage_metadata: toUsage(usage) });
    return {
      text: message.text,
      message,
      generationInfo: { finish_reason: refusal ? REFUSAL : choice.finish_reason, model_name: model },
    };
  },
  createReader: () => new Reader(),
};

function toFields({ model, parameters, options, streamed }: CompletionRequest): Record<string, unknown> {
  const { outputLimitName, maxOutputTokens, streamUsage } = parameters;
  return {
    model,
    temperature: parameters.temperature,
    top_p: parameters.topP,
    frequency_penalty: parameters.frequencyPenalty,
    presence_penalty: parameters.presencePenalty,
    seed: parameters.seed,
    stop: parameters.stop ?? options.stop,
    stream: streamed,
    tools: options.tools?.length ? options.tools : undefined,
    tool_choice: options.tool_choice && toToolChoice(options.tool_choice),
    response_format: parameters.responseFormat ?? options.response_format,
    stream_options: streamed && streamUsage !== false ? { include_usage: true } : undefined,
    parallel_tool_calls: options.parallel_tool_calls,
    prompt_cache_key: parameters.promptCacheKey === false ? undefined : options.promptCacheKey,
    verbosity: parameters.verbosity,
    max_tokens: outputLimitName ? undefined : maxOutputTokens,
    max_completion_tokens: outputLimitName ? maxOutputTokens : undefined,
    reasoning_effort: parameters.reasoningEffort,
  };
}

function toUsage(usage: Usage): UsageMetadata {
  const { cached_tokens: cached, cache_write_tokens: written } = usage.prompt_tokens_details ?? {};
  const reasoning = usage.completion_tokens_details?.reasoning_tokens;
  return {
    input_tokens: usage.prompt_tokens,
    output_tokens: usage.completion_tokens,
    total_tokens: usage.total_tokens,
    ...((cached ?? written) !== undefined && {
      input_token_details: {
        cache_read: cached ?? 0,
        ...(written !== undefined && { cache_creation: written }),
      },
    }),
    ...(reasoning !== undefined && { output_token_details: { reasoning } }),
  };
}

/**
 * The finish reason, the model and the usage are given once: LangChain appends metadata of chunks to each other. Azure's
 * asynchronous content filter sends choices without `delta`, and first an event without an id
 * (learn.microsoft.com/azure/ai-foundry/openai/concepts/content-streaming).
 */
class Reader implements EventReader {
  id: string | undefined;
  isFinished = false;
  #refused = false;

  read(event: object): string | ChatGenerationChunk {
    const { id, choices, usage, model, system_fingerprint: fingerprint } = event as Event;
    this.id ||= id;
    const [choice] = choices ?? [];
    const { content, refusal, tool_calls: calls } = choice?.delta ?? {};
    this.#refused ||= Boolean(refusal);
    // A server may send other content than text.
    const text = refusal || (typeof content === 'string' ? content : '');
    const reason = choice?.finish_reason;
    if (!calls?.length && !reason && !usage) return text;
    const fields = { content: text, tool_call_chunks: toToolCallChunks(calls ?? []) };
    const message = new AIMessageChunk(this.id ? { ...fields, id: this.id } : fields);
    if (usage) Object.assign(message, { usage_metadata: toUsage(usage) });
    if (!reason) return new ChatGenerationChunk({ text, message });
    this.isFinished = true;
    const generationInfo = {
      finish_reason: this.#refused ? REFUSAL : reason,
      ...(model && { model_name: model }),
      ...(fingerprint && { system_fingerprint: fingerprint }),
    };
    return new ChatGenerationChunk({ text, message, generationInfo });
  }
}

/** Merges the pieces of each call: LangChain takes two of the same call in one chunk for two calls. */
function toToolCallChunks(deltas: ToolCallDelta[]): ToolCallChunk[] {
  const chunks = new Map<number, ToolCallChunk>();
  for (const { index, id, function: called } of deltas) {
    const chunk = chunks.get(index) ?? { type: 'tool_call_chunk', index };
    if (id) chunk.id = id;
    if (called?.name) chunk.name = called.name;
    chunk.args = (chunk.args ?? '') + (called?.arguments ?? '');
    chunks.set(index, chunk);
  }
  return [...chunks.values()];
}
