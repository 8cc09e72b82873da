/** The JSON of chat completions, plain and in chunks, as Azure OpenAI sends it. */
import { randomUUID } from 'node:crypto';
import { HARMLESS, promptFilterResult } from './content-filter.ts';

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
  /** How many times the same answer is given; once by default. */
  choices?: number;
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
    choices: indices(completion).map((index) => ({
      index,
      message: {
        role: 'assistant',
        content: completion.content,
        refusal: completion.refusal ?? null,
        annotations: [],
      },
      logprobs: null,
      finish_reason: completion.finishReason,
      content_filter_results: completion.content ? HARMLESS : {},
    })),
    prompt_filter_results: [promptFilterResult(false)],
    usage: usageOf(completion),
  };
}

/**
 * The chunks of a streamed completion, in the order in which Azure sends them, with one word in each chunk:
 * github.com/langchain4j/langchain4j/issues/2385.
 */
export function toChunks(completion: Completion, includeUsage: boolean): object[] {
  const common = { ...head('chat.completion.chunk', completion.model), ...(includeUsage && { usage: null }) };
  const chunks = (delta: { content?: string }, finishReason: string | null = null): object[] =>
    indices(completion).map((index) => ({
      ...common,
      choices: [
        {
          index,
          delta,
          logprobs: null,
          finish_reason: finishReason,
          content_filter_results: delta.content ? HARMLESS : {},
        },
      ],
    }));
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
    ...chunks({ role: 'assistant', content: '', refusal: null } as { content: string }),
    ...words.flatMap((content) => chunks({ content })),
    ...(completion.refusal ? chunks({ refusal: completion.refusal } as object) : []),
    ...chunks({}, completion.finishReason),
    ...(includeUsage ? [{ ...common, choices: [], usage: usageOf(completion) }] : []),
  ];
}

const indices = ({ choices = 1 }: Completion): number[] =>
  Array.from({ length: choices }, (_, index) => index);

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
  const completionTokens = (completion.choices ?? 1) * (estimateTokens(content ?? '') + reasoningTokens);
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
    completion_tokens_details: {
      reasoning_tokens: (completion.choices ?? 1) * reasoningTokens,
      audio_tokens: 0,
      accepted_prediction_tokens: 0,
      rejected_prediction_tokens: 0,
    },
  };
}
