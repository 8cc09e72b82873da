/** The parameters of a model call, and how they change when a model refuses one of them. */
import type { EndpointConfig, ModelConfig } from '../config/model-config.ts';
import { causesFrom } from '../contract/ask-error.ts';

/** Absent parameters are not sent. */
export interface ModelParameters {
  readonly temperature?: number;
  readonly maxOutputTokens?: number;
  readonly reasoningEffort?: string;
  readonly verbosity?: string;
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

/** The replacement for parameters of which one was refused. */
export interface Adaptation {
  parameters: ModelParameters;
  /** Advice for the operator. It completes a sentence whose subject is the deployment. */
  advice: string;
}

type Setting = 'temperature' | 'maxOutputTokens' | 'reasoningEffort' | 'verbosity';

/** Names in a request's body, the parameter, and its setting. */
const NAMES: Record<string, [Setting, string]> = {
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
};

/** Returns other parameters when `error` is the refusal of one of `parameters`; null for all other errors. */
export function adapt(parameters: ModelParameters, error: unknown): Adaptation | null {
  const name = refusedParameter(error);
  if (name === null) return null;
  if (name === 'stream_options' && parameters.streamUsage !== false) {
    return {
      parameters: { ...parameters, streamUsage: false },
      advice: 'refuses "stream_options": the tokens of streamed answers are not counted.',
    };
  }
  // As Azure's DeepSeek models do: github.com/vectorize-io/hindsight/issues/3518.
  if (name === 'prompt_cache_key' && parameters.promptCacheKey !== false) {
    return {
      parameters: { ...parameters, promptCacheKey: false },
      advice: 'does not take "prompt_cache_key": it is no longer sent.',
    };
  }
  const [own, setting] = NAMES[name] ?? [];
  if (own === undefined || setting === undefined || !(own in parameters)) return null;
  if (name === 'max_tokens' && !parameters.outputLimitName) {
    return {
      parameters: { ...parameters, outputLimitName: 'max_completion_tokens' },
      advice: 'does not accept "max_tokens": MODEL_MAX_OUTPUT_TOKENS is sent as "max_completion_tokens".',
    };
  }
  const { [own]: _, ...rest } = parameters;
  return {
    parameters: rest,
    advice: `refuses the parameter "${name}" or its value, so it is no longer sent. Change or remove ${setting}.`,
  };
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
