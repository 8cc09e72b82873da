/** The parameters of a model call, and how they change when a model refuses one of them. */
import type { ModelConfig } from '../config/config.ts';
import { chainOf } from '../runtime/error-chain.ts';

/** Parameters under their names in the API. Absent parameters are not sent. */
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

/** Returns the parameters of the settings, with the names that GPT-4o accepts. */
export const parametersOf = ({
  temperature,
  maxOutputTokens,
  reasoningEffort,
}: ModelConfig): ModelParameters => ({
  ...(temperature !== undefined && { temperature }),
  ...(maxOutputTokens !== undefined && { max_tokens: maxOutputTokens }),
  ...(reasoningEffort !== undefined && { reasoning_effort: reasoningEffort }),
});

/** The replacement for parameters of which one was refused. */
export interface Adaptation {
  parameters: ModelParameters;
  /** Advice for the operator. It completes a sentence whose subject is the model. */
  advice: string;
}

/** Returns other parameters when `error` is the refusal of one of `parameters`; null for all other errors. */
export function adapt(parameters: ModelParameters, error: unknown): Adaptation | null {
  const name = refusedParameter(error);
  if (name === null || !isName(name) || !(name in parameters)) return null;
  const { [name]: value, ...rest } = parameters;
  // Reasoning models accept only `max_completion_tokens`, which includes the reasoning tokens.
  if (name === 'max_tokens' && typeof value === 'number') {
    return {
      parameters: { ...rest, max_completion_tokens: value },
      advice: 'does not accept "max_tokens": MODEL_MAX_OUTPUT_TOKENS is sent as "max_completion_tokens".',
    };
  }
  return {
    parameters: rest,
    advice: `refuses the parameter "${name}" or its value, so it is no longer sent. Change or remove ${SETTINGS[name]}.`,
  };
}

const isName = (name: string): name is Name => name in SETTINGS;

const REFUSALS = new Set(['unsupported_value', 'unsupported_parameter', 'unknown_parameter']);

/**
 * Returns the name of the refused parameter. A model that knows the parameter sends a code and `param`; a model that is
 * older than the parameter sends only a message (github.com/davidmigloz/langchain_dart/issues/712).
 */
function refusedParameter(error: unknown): string | null {
  for (const { code, param, message } of chainOf(error)) {
    if (REFUSALS.has(String(code)) && typeof param === 'string') return param;
    const [, name] = /Unrecognized request argument supplied: (\w+)/.exec(message) ?? [];
    if (name !== undefined) return name;
  }
  return null;
}
