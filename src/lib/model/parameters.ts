/** The parameters of a model call: those that are set, and what is sent to a model that refuses one of them. */
import type { ModelConfig } from '../config/config.ts';
import { chainOf } from '../runtime/error-chain.ts';

/** By the names that the API gives them. What is absent is not sent. Never changed: another set takes its place. */
export interface ModelParameters {
  readonly temperature?: number;
  readonly max_tokens?: number;
  readonly max_completion_tokens?: number;
  readonly reasoning_effort?: string;
}

type Name = keyof ModelParameters;

const SETTINGS: Record<Name, string> = {
  temperature: 'MODEL_TEMPERATURE',
  max_tokens: 'MODEL_MAX_OUTPUT_TOKENS',
  max_completion_tokens: 'MODEL_MAX_OUTPUT_TOKENS',
  reasoning_effort: 'MODEL_REASONING_EFFORT',
};

/** Gives what is sent at first: what the settings name, as GPT-4o takes it. */
export const parametersOf = ({
  temperature,
  maxOutputTokens,
  reasoningEffort,
}: ModelConfig): ModelParameters => ({
  ...(temperature !== undefined && { temperature }),
  ...(maxOutputTokens !== undefined && { max_tokens: maxOutputTokens }),
  ...(reasoningEffort !== undefined && { reasoning_effort: reasoningEffort }),
});

/** What to send in place of parameters that were refused, and what to tell who runs the app. */
export interface Adaptation {
  parameters: ModelParameters;
  /** Ends a sentence that begins with the model. */
  advice: string;
}

/** Gives other parameters when `error` says that one of `parameters` was refused; null when it says something else. */
export function adapt(parameters: ModelParameters, error: unknown): Adaptation | null {
  const name = refusedParameter(error);
  if (name === null || !isName(name) || !(name in parameters)) return null;
  const { [name]: value, ...rest } = parameters;
  // Reasoning models count their reasoning as well, under this name.
  if (name === 'max_tokens' && typeof value === 'number') {
    return {
      parameters: { ...rest, max_completion_tokens: value },
      advice:
        'takes "max_completion_tokens" in place of "max_tokens": MODEL_MAX_OUTPUT_TOKENS is sent as that.',
    };
  }
  return {
    parameters: rest,
    advice: `refuses the parameter "${name}" or its value: it is left out. Change or remove ${SETTINGS[name]}.`,
  };
}

const isName = (name: string): name is Name => name in SETTINGS;

const REFUSALS = new Set(['unsupported_value', 'unsupported_parameter', 'unknown_parameter']);

/**
 * The name of the parameter that was refused. Models that know a parameter refuse it by code and `param`; those before
 * it was introduced have only a sentence (github.com/davidmigloz/langchain_dart/issues/712).
 */
function refusedParameter(error: unknown): string | null {
  for (const { code, param, message } of chainOf(error)) {
    if (REFUSALS.has(String(code)) && typeof param === 'string') return param;
    const [, name] = /Unrecognized request argument supplied: (\w+)/.exec(message) ?? [];
    if (name !== undefined) return name;
  }
  return null;
}
