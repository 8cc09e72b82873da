/** What a caller wants of the model: a deployment, and parameters within the limits of the settings. */
import type { Config } from '../config/config.ts';
import { WITHOUT_EFFECT } from '../contract/openai-fields.ts';
import { errors } from '../contract/errors.ts';
import type { AnswerParameters, ModelOverrides, ResponseFormat } from '../model/parameters.ts';
import { findDeployment } from './models.ts';

/** The names of the parameters in chat completions, by which settings call them. */
const NAMES: Record<keyof AnswerParameters, string> = {
  temperature: 'temperature',
  topP: 'top_p',
  maxOutputTokens: 'max_completion_tokens',
  reasoningEffort: 'reasoning_effort',
  verbosity: 'verbosity',
  responseFormat: 'response_format',
  stop: 'stop',
  seed: 'seed',
  frequencyPenalty: 'frequency_penalty',
  presencePenalty: 'presence_penalty',
};

/** The Responses API does not have these. */
const CHAT_ONLY: readonly (keyof AnswerParameters)[] = [
  'stop',
  'seed',
  'frequencyPenalty',
  'presencePenalty',
];

/** A parameter with the name that the caller gave it; the value is null or undefined when there is none. */
export type GivenParameter = [own: keyof AnswerParameters, name: string, value: unknown];

/** Checks what a caller wants. @throws AskError that names a model or a parameter that cannot be had. */
export function toModelOverrides(
  { model, openAiApi }: Config,
  name: string,
  given: GivenParameter[],
): ModelOverrides {
  const deployment = findDeployment(model, name);
  const chosen = given.filter(([, , value]) => value !== undefined && value !== null);
  for (const [own, called] of chosen) {
    if (openAiApi.forbidden.includes(NAMES[own])) throw errors.parameterForbidden(called);
    if (model.modelApi === 'responses' && CHAT_ONLY.includes(own)) throw errors.unsupportedParameter(called);
  }
  const parameters = Object.fromEntries(chosen.map(([own, , value]) => [own, value])) as AnswerParameters;
  const { maxOutputTokens = Infinity } = parameters;
  const limit = Math.min(maxOutputTokens, model.maxOutputTokens ?? Infinity);
  return {
    ...(deployment !== undefined && { deployment }),
    parameters: { ...parameters, ...(maxOutputTokens < Infinity && { maxOutputTokens: limit }) },
    names: Object.fromEntries(chosen.map(([own, called]) => [own, called])),
  };
}

/** The form of an answer, if it is not plain text. */
export function toResponseFormat(format: Format | null | undefined): ResponseFormat | undefined {
  if (!format || format.type === 'text') return undefined;
  if (format.type === 'json_object') return { type: format.type };
  const { name, description, schema, strict } = format.json_schema;
  return {
    type: 'json_schema',
    json_schema: {
      name,
      ...(description != null && { description }),
      ...(schema != null && { schema }),
      ...(strict != null && { strict }),
    },
  };
}

type Format =
  | { type: 'text' }
  | { type: 'json_object' }
  | {
      type: 'json_schema';
      json_schema: {
        name: string;
        description?: string | null | undefined;
        schema?: object | null | undefined;
        strict?: boolean | null | undefined;
      };
    };

/**
 * Checks that the fields beside those in `known` change nothing.
 * @throws AskError that names the first that does, as a field of `place`.
 */
export function refuseOthers(body: object, known: ReadonlySet<string>, place = ''): void {
  for (const [name, value] of Object.entries(body) as [string, unknown][]) {
    if (known.has(name) || value === null) continue;
    if (!WITHOUT_EFFECT[name]?.includes(JSON.stringify(value)))
      throw errors.unsupportedParameter(place + name);
  }
}
