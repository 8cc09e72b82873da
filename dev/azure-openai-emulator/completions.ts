/** The JSON of chat completions, plain and in chunks, as Azure OpenAI sends it. */
import { randomUUID } from 'node:crypto';
import { promptFilterResult } from './refusals.ts';

/** How the tokens of a prompt are billed. */
export interface PromptUsage {
  promptTokens: number;
  cachedTokens: number;
  /** Undefined for models that do not bill it. */
  cacheWriteTokens?: number;
}

/** The values of a completion that vary. */
export interface Completion extends PromptUsage {
  /** Name and version of the model. */
  model: string;
  content: string | null;
  finishReason: string;
  reasoningTokens: number;
  /** What the model says in place of an answer. */
  refusal?: string | undefined;
}

/** The default. Says in each answer, and so in `performance_metrics.model`, that no real model made it. */
export const MODEL = 'gpt-4o-2024-11-20-emulated';
const FINGERPRINT = 'fp_emulator';

export const CHARS_PER_TOKEN = 4;

/** A rough estimate of four characters per token: real tokenizers differ by language and model. */
export function estimateTokens(text: string): number {
  return Math.max(1, Math.ceil(text.length / CHARS_PER_TOKEN));
}

/** The body of a plain (not streamed) completion. */
export function toCompletion(completion: Completion): object {
  return {
    ...head('chat.completion', completion.model),
    choices: [
      {
        index: 0,
        message: { role: 'assistant', content: completion.content, refusal: completion.refusal ?? null },
        logprobs: null,
        finish_reason: completion.finishReason,
      },
    ],
    usage: usageOf(completion),
  };
}

/** The chunks of a streamed completion, in the order in which Azure sends them, with one word in each chunk. */
export function toChunks(completion: Completion, includeUsage: boolean): object[] {
  const common = { ...head('chat.completion.chunk', completion.model), ...(includeUsage && { usage: null }) };
  const chunk = (delta: object, finishReason: string | null = null): object => ({
    ...common,
    choices: [{ index: 0, delta, logprobs: null, finish_reason: finishReason }],
  });
  const words = completion.content?.split(/(?<=\s)(?=\S)/).filter(Boolean) ?? [];
  return [
    {
      choices: [],
      created: 0,
      id: '',
      model: '',
      object: '',
      prompt_filter_results: [promptFilterResult(false)],
    },
    chunk({ role: 'assistant', content: '', refusal: null }),
    ...words.map((content) => chunk({ content })),
    ...(completion.refusal ? [chunk({ refusal: completion.refusal })] : []),
    chunk({}, completion.finishReason),
    ...(includeUsage ? [{ ...common, choices: [], usage: usageOf(completion) }] : []),
  ];
}

function head(object: string, model: string): object {
  return {
    id: `chatcmpl-${randomUUID()}`,
    object,
    created: Math.floor(Date.now() / 1000),
    model,
    system_fingerprint: FINGERPRINT,
  };
}

function usageOf(completion: Completion): object {
  const { content, promptTokens, cachedTokens, cacheWriteTokens, reasoningTokens } = completion;
  const completionTokens = estimateTokens(content ?? '') + reasoningTokens;
  return {
    prompt_tokens: promptTokens,
    completion_tokens: completionTokens,
    total_tokens: promptTokens + completionTokens,
    // `cache_write_tokens` is sent by the models that bill it.
    prompt_tokens_details: {
      cached_tokens: cachedTokens,
      audio_tokens: 0,
      ...(cacheWriteTokens !== undefined && { cache_write_tokens: cacheWriteTokens }),
    },
    completion_tokens_details: { reasoning_tokens: reasoningTokens, audio_tokens: 0 },
  };
}
