/** The parameters of a model call, and how they change when a model refuses one of them. */
import type { EndpointConfig, ModelConfig } from '../config/model-config.ts';
import { causesFrom } from '../contract/ask-error.ts';
import { errors } from '../contract/errors.ts';

/** The form of an answer: platform.openai.com/docs/guides/structured-outputs */
export type ResponseFormat =
  | { type: 'text' | 'json_object' }
  | {
      type: 'json_schema';
      json_schema: { name: string; description?: string; schema?: object; strict?: boolean };
    };

/** The parameters on which an answer depends, and which a caller may choose. Absent ones are not sent. */
export interface AnswerParameters {
  readonly temperature?: number;
  readonly topP?: number;
  readonly maxOutputTokens?: number;
  readonly reasoningEffort?: string;
  readonly verbosity?: string;
  readonly responseFormat?: ResponseFormat;
  /** The Responses API does not have this one and the next three. */
  readonly stop?: readonly string[];
  readonly seed?: number;
  readonly frequencyPenalty?: number;
  readonly presencePenalty?: number;
}

/** All parameters of a call. */
export interface ModelParameters extends AnswerParameters {
  /** Chat completions: reasoning models accept `max_completion_tokens` instead of `max_tokens`. */
  readonly outputLimitName?: 'max_completion_tokens';
  /** Chat completions: false when the server refuses `stream_options`, which request the token counts of a stream. */
  readonly streamUsage?: false;
  /** False when the server does not take `prompt_cache_key`. It does not change answers, so no cache key contains it. */
  readonly promptCacheKey?: false;
}

/** Returns the parameters of the settings. */
export const parametersOf = (config: ModelConfig): ModelParameters => ({
  ...(config.temperature !== undefined && { temperature: config.temperature }),
  ...(config.maxOutputTokens !== undefined && { maxOutputTokens: config.maxOutputTokens }),
  ...(config.reasoningEffort !== undefined && { reasoningEffort: config.reasoningEffort }),
  ...(config.verbosity !== undefined && { verbosity: config.verbosity }),
});

/** Returns the parameters that an endpoint gets until it refuses one. */
export const parametersFor = (config: ModelConfig, endpoint: EndpointConfig): ModelParameters => ({
  ...parametersOf(config),
  ...(!takesPromptCacheKey(endpoint) && { promptCacheKey: false }),
});

/**
 * `prompt_cache_key` is a field of OpenAI and of Azure's v1 API. Azure's dated API versions refuse fields that they do not
 * know, and so do other servers: github.com/anomalyco/opencode/pull/49071.
 */
const takesPromptCacheKey = ({ api, isAzure, url }: EndpointConfig): boolean =>
  api === 'v1' && (isAzure || new URL(url).hostname === 'api.openai.com');

/** What a caller wants of the model, in place of the settings. */
export interface ModelOverrides {
  /** Only endpoints with this deployment answer. */
  readonly deployment?: string;
  readonly parameters: AnswerParameters;
  /** The names that the caller gave the parameters, for errors. */
  readonly names: Readonly<Partial<Record<keyof AnswerParameters, string>>>;
}

/** How an endpoint changes its parameters after one was refused. */
export interface Adaptation {
  change: (parameters: ModelParameters) => ModelParameters;
  /** Advice for the operator. It completes a sentence whose subject is the deployment. */
  advice: string;
}

/** Names in a request's body, the parameter, and its setting; without one, only callers choose it. */
const NAMES: Record<string, [keyof AnswerParameters, string?]> = {
  temperature: ['temperature', 'MODEL_TEMPERATURE'],
  max_tokens: ['maxOutputTokens', 'MODEL_MAX_OUTPUT_TOKENS'],
  max_completion_tokens: ['maxOutputTokens', 'MODEL_MAX_OUTPUT_TOKENS'],
  max_output_tokens: ['maxOutputTokens', 'MODEL_MAX_OUTPUT_TOKENS'],
  reasoning_effort: ['reasoningEffort', 'MODEL_REASONING_EFFORT'],
  reasoning: ['reasoningEffort', 'MODEL_REASONING_EFFORT'],
  'reasoning.effort': ['reasoningEffort', 'MODEL_REASONING_EFFORT'],
  verbosity: ['verbosity', 'MODEL_VERBOSITY'],
  text: ['verbosity', 'MODEL_VERBOSITY'],
  'text.verbosity': ['verbosity', 'MODEL_VERBOSITY'],
  'text.format': ['responseFormat'],
  response_format: ['responseFormat'],
  top_p: ['topP'],
  stop: ['stop'],
  seed: ['seed'],
  frequency_penalty: ['frequencyPenalty'],
  presence_penalty: ['presencePenalty'],
};

/**
 * Returns the change after which a request may be accepted, when `error` is the refusal of one of `parameters`; null for
 * all other errors. What a caller chose (`overrides`) is not changed.
 * @throws AskError that names the parameter when the caller chose it: its refusal says nothing about other requests.
 */
export function adapt(
  parameters: ModelParameters,
  overrides: ModelOverrides | undefined,
  error: unknown,
): Adaptation | null {
  const name = refusedParameter(error);
  // Not the caller's doing: only the name of the parameter is wrong.
  const isOldName = name === 'max_tokens' && 'maxOutputTokens' in parameters && !parameters.outputLimitName;
  if (overrides && !isOldName) refuseOverrides(overrides, error);
  if (name === null) return null;
  if (name === 'stream_options' && parameters.streamUsage !== false) {
    return {
      change: (before) => ({ ...before, streamUsage: false }),
      advice: 'refuses "stream_options": the tokens of streamed answers are not counted.',
    };
  }
  // As Azure's DeepSeek models do: github.com/vectorize-io/hindsight/issues/3518.
  if (name === 'prompt_cache_key' && parameters.promptCacheKey !== false) {
    return {
      change: (before) => ({ ...before, promptCacheKey: false }),
      advice: 'does not take "prompt_cache_key": it is no longer sent.',
    };
  }
  if (isOldName) {
    return {
      change: (before) => ({ ...before, outputLimitName: 'max_completion_tokens' }),
      advice: 'does not accept "max_tokens": the limit is sent as "max_completion_tokens".',
    };
  }
  const [own, setting] = NAMES[name] ?? [];
  if (own === undefined || setting === undefined || !(own in parameters)) return null;
  return {
    change(before) {
      const { [own]: _, ...rest } = before;
      return rest;
    },
    advice: `refuses the parameter "${name}" or its value, so it is no longer sent. Change or remove ${setting}.`,
  };
}

/** @throws AskError when `error` is the refusal of a parameter, or of its value, that the caller chose. */
function refuseOverrides({ parameters, names }: ModelOverrides, error: unknown): void {
  const refusal = causesFrom(error).find(({ status, param }) => status === 400 && typeof param === 'string');
  const name = refusedParameter(error) ?? String(refusal?.param);
  // A fault in a schema is named by its place, as in `text.format.schema`.
  const [own] = NAMES[name] ?? NAMES[/^(?:text\.)?\w+/.exec(name)?.[0] ?? ''] ?? [];
  if (own !== undefined && own in parameters) throw errors.parameterRefused(names[own] ?? own, error);
}

const REFUSALS = new Set(['unsupported_value', 'unsupported_parameter', 'unknown_parameter']);

/** Messages without a code: davidmigloz/langchain_dart/issues/712 and OpenHands/software-agent-sdk/issues/1837 on GitHub. */
const REFUSAL_MESSAGE =
  /(?:Unrecognized request argument supplied: |Unsupported parameter: '|Unknown parameter: ')([\w.]+)/;

/** Returns the name of the refused parameter, from the code and `param` or from the message. */
function refusedParameter(error: unknown): string | null {
  for (const { code, param, message } of causesFrom(error)) {
    if (REFUSALS.has(String(code)) && typeof param === 'string') return param;
    const [, name] = REFUSAL_MESSAGE.exec(message) ?? [];
    if (name !== undefined) return name;
  }
  return null;
}
