/** The refusals of bodies that an API does not accept, in the words of the service. */
import type { z } from 'zod';
import type { Api } from './prompt.ts';
import { refused, type Reply } from './refusals.ts';
import { chatSchema, responsesSchema } from './request-schema.ts';

type Body = Record<string, unknown>;
type Issue = z.core.$ZodIssue;

/** Returns the refusal of a body; undefined when the API accepts it. */
export function refusalOfBody(api: Api, body: Body): Reply | undefined {
  const moved = api === 'responses' ? movedParameter(body) : undefined;
  if (moved) return moved;
  const { error } = (api === 'chat' ? chatSchema : responsesSchema).safeParse(body, { reportInput: true });
  const [issue] = error?.issues ?? [];
  if (issue) return toRefusal(api, deepest(issue));
  return api === 'chat' ? refusalOfTogether(body) : undefined;
}

/** Parameters of chat completions that have another name here: github.com/lobehub/lobehub/issues/8116. */
const MOVED: Body = {
  messages: 'input',
  max_tokens: 'max_output_tokens',
  max_completion_tokens: 'max_output_tokens',
  reasoning_effort: 'reasoning.effort',
  response_format: 'text.format',
  verbosity: 'text.verbosity',
};

function movedParameter(body: Body): Reply | undefined {
  const name = Object.keys(MOVED).find((each) => each in body);
  if (!name) return undefined;
  const documents = 'https://platform.openai.com/docs/api-reference/responses/create';
  return refused({
    message: `Unsupported parameter: '${name}'. In the Responses API, this parameter has moved to '${String(MOVED[name])}'. Try again with the new parameter. See the API documentation for more information: ${documents}.`,
    code: 'unsupported_parameter',
  });
}

const isSet = (value: unknown): boolean => value !== undefined && value !== null;

/** What is accepted alone, but not together. */
function refusalOfTogether(body: Body): Reply | undefined {
  // github.com/langchain-ai/langgraph/issues/5943
  if (isSet(body['max_tokens']) && isSet(body['max_completion_tokens'])) {
    return refused({
      message: "Setting 'max_tokens' and 'max_completion_tokens' at the same time is not supported.",
      param: 'max_tokens',
      code: 'invalid_parameter_combination',
    });
  }
  // github.com/BerriAI/litellm/issues/5803
  if (isSet(body['stream_options']) && body['stream'] !== true) {
    const message = "The 'stream_options' parameter is only allowed when 'stream' is enabled.";
    return refused({ message, param: 'stream_options' });
  }
  return undefined;
}

/** Of a value that fits none of several schemas, the first issue of the schema that it fits best. */
function deepest(issue: Issue, path: PropertyKey[] = []): Issue {
  const whole = [...path, ...issue.path];
  if (issue.code !== 'invalid_union' || issue.errors.length === 0) return { ...issue, path: whole };
  const inner = issue.errors.flatMap(([first]) => (first ? [deepest(first, whole)] : []));
  const depth = Math.max(...inner.map((each) => each.path.length));
  const best = inner.filter((each) => each.path.length === depth);
  return best.find(({ code }) => code !== 'invalid_type') ?? best[0] ?? { ...issue, path: whole };
}

function toRefusal(api: Api, issue: Issue): Reply {
  const param = nameOf(issue.path);
  switch (issue.code) {
    case 'unrecognized_keys':
      return unknownParameter(api, nameOf([...issue.path, issue.keys[0] ?? '']));
    case 'too_big':
      return outOfRange(param, issue.input, 'max', Number(issue.maximum));
    case 'too_small':
      return outOfRange(param, issue.input, 'min', Number(issue.minimum));
    case 'invalid_value':
      return invalidValue(param, issue.input, issue.values.map(String));
    case 'invalid_union':
      return invalidValue(param, (issue.input as Body)['role'], ['assistant', 'system', 'developer', 'user']);
    case 'invalid_type':
      return issue.input === undefined ? missing(param) : invalidType(param, issue.input, issue.expected);
    default:
      return refused({ message: issue.message, param });
  }
}

/** `messages[0].role` */
const nameOf = (path: PropertyKey[]): string =>
  path
    .map((key) => (typeof key === 'number' ? `[${key}]` : `.${String(key)}`))
    .join('')
    .replace(/^\./, '');

/** Chat completions: github.com/langgenius/dify-official-plugins/issues/2263; responses: github.com/lobehub/lobehub/issues/10567. */
function unknownParameter(api: Api, name: string): Reply {
  if (api === 'chat' && !name.includes('.'))
    return refused({ message: `Unrecognized request argument supplied: ${name}` });
  return refused({ message: `Unknown parameter: '${name}'.`, param: name, code: 'unknown_parameter' });
}

/** github.com/SilasMarvin/lsp-ai/issues/108 */
const missing = (param: string): Reply =>
  refused({ message: `Missing required parameter: '${param}'.`, param, code: 'missing_required_parameter' });

/** github.com/moeru-ai/airi/issues/137. Of a part, the name of its type is left out: tinyhumansai/openhuman/issues/3624. */
function invalidValue(param: string, value: unknown, values: string[]): Reply {
  if (value === undefined) return missing(param);
  if (typeof value !== 'string') return invalidType(param, value, 'string');
  const quoted = values.map((each) => `'${each}'`);
  const last = quoted.pop() ?? '';
  const supported = quoted.length > 1 ? `${quoted.join(', ')}, and ${last}` : [...quoted, last].join(' and ');
  const message = `Invalid value: '${value}'. Supported values are: ${supported}.`;
  return refused({ message, param: param.replace(/(?<=\])\.type$/, ''), code: 'invalid_value' });
}

const DECIMALS = new Set(['temperature', 'top_p', 'presence_penalty', 'frequency_penalty']);

/**
 * Numbers: github.com/vectorize-io/hindsight/issues/58 and github.com/thisisartium/continuous-alignment-testing/issues/25.
 * Lists: github.com/CopilotKit/CopilotKit/issues/529 and github.com/vishalmysore/Tools4AI/issues/16.
 */
function outOfRange(param: string, value: unknown, end: 'min' | 'max', limit: number): Reply {
  if (Array.isArray(value)) return wrongLength(param, value.length, end, limit);
  const kind = DECIMALS.has(param) ? 'decimal' : 'integer';
  const [place, sign] = end === 'max' ? ['above maximum', '<='] : ['below minimum', '>='];
  return refused({
    message: `Invalid '${param}': ${kind} ${place} value. Expected a value ${sign} ${limit}, but got ${String(value)} instead.`,
    param,
    code: `${kind}_${place.split(' ')[0]}_${end}_value`,
  });
}

function wrongLength(param: string, length: number, end: 'min' | 'max', limit: number): Reply {
  const [what, got, code] =
    end === 'max'
      ? ['array too long', `an array with length ${length}`, 'array_above_max_length']
      : ['empty array', 'an empty array', 'empty_array'];
  const message = `Invalid '${param}': ${what}. Expected an array with ${end}imum length ${limit}, but got ${got} instead.`;
  return refused({ message, param, code });
}

const EXPECTED: Record<string, string> = {
  string: 'a string',
  boolean: 'a boolean',
  array: 'an array',
};

/** github.com/Jeffser/Alpaca/issues/904 and github.com/diffbot/code-gpt-docs/issues/273 */
function invalidType(param: string, value: unknown, expected: string): Reply {
  const number = DECIMALS.has(param) ? 'a decimal' : 'an integer';
  const kind = ['int', 'number'].includes(expected) ? number : (EXPECTED[expected] ?? 'an object');
  const message = `Invalid type for '${param}': expected ${kind}, but got ${kindOf(value)} instead.`;
  return refused({ message, param, code: 'invalid_type' });
}

function kindOf(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'an array';
  if (typeof value === 'number') return Number.isInteger(value) ? 'an integer' : 'a decimal number';
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`;
}
