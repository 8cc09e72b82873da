/**
 * The bodies of requests to the OpenAI API as schemas: the fields that are supported, and of the others the values that
 * change nothing. Each error message completes the sentence `The field "NAME" ...`. Source: github.com/openai/openai-openapi.
 */
import * as z from 'zod/mini';

const optional = <T extends z.ZodMiniType>(schema: T, description: string) =>
  z.nullish(schema).check(z.describe(description));

const numberFrom = (min: number, max: number) => {
  const rule = `must be a number from ${min} to ${max}`;
  return z.number(rule).check(z.minimum(min, rule), z.maximum(max, rule));
};
const string = z.string('must be a string');
const flag = z.boolean('must be true or false');
const COUNT = 'must be a whole number above 0';
const count = z.int(COUNT).check(z.positive(COUNT));
/** Newer models introduce new values. */
const word = string.check(z.regex(/^[a-z]{1,20}$/, 'must be a word like "low", "medium" or "high"'));
const jsonObject = z.record(z.string(), z.unknown(), 'must be a JSON object');

const FORMAT_NAME = 'must be a name of 1 to 64 letters, digits, "_" and "-"';
const schemaFields = {
  name: string.check(z.regex(/^[\w-]{1,64}$/, FORMAT_NAME)),
  description: z.nullish(string),
  schema: z.nullish(jsonObject),
  strict: z.nullish(flag),
};
const FORMATS = 'must be an object with the "type" "text", "json_object" or "json_schema"';

/** What both operations have. */
const COMMON = {
  model: z
    .string({ error: ({ input }) => (input == null ? 'is missing' : 'must be a string') })
    .check(z.describe('A deployment that `GET /v1/models` lists, or `default`.')),
  stream: optional(flag, 'Send the answer as server-sent events.'),
  temperature: optional(numberFrom(0, 2), 'In place of `MODEL_TEMPERATURE`.'),
  top_p: optional(numberFrom(0, 1), 'The share of probable tokens that the model chooses from.'),
  prompt_cache_key: optional(string, "Sent to the model's provider; it changes no answer."),
  metadata: optional(
    z.record(z.string(), string, 'must be a JSON object'),
    'Only `session_id` has an effect, as the header `X-Session-Id`.',
  ),
  user: optional(string, 'Accepted, and not used.'),
  safety_identifier: optional(string, 'Accepted, and not used.'),
};

const MESSAGES = 'must be a list of at least one message';
const CONTENT = 'must be a text, or a list of parts with the "type" "text"';

/** A part of a message. What is no text is refused by its type. */
const part = z.looseObject({ type: string, text: z.optional(string), refusal: z.optional(string) }, CONTENT);

/** A message of the caller's. */
export const chatMessage = z.looseObject(
  {
    role: string.check(z.describe('`system`, `developer`, `user` or `assistant`.')),
    content: z.nullish(z.union([string, z.array(part)], CONTENT)),
  },
  'must be an object with a "role" and a "content"',
);

/** The body of POST /v1/chat/completions. Null is treated as absent. */
export const chatFields = z.object({
  ...COMMON,
  messages: z
    .array(chatMessage, MESSAGES)
    .check(
      z.minLength(1, MESSAGES),
      z.describe('The whole prompt. With `X-Session-Id`, the last message is a question in that session.'),
    ),
  stream_options: z.nullish(
    z.object(
      { include_usage: z.nullish(flag), include_obfuscation: z.nullish(flag) },
      'must be a JSON object',
    ),
  ),
  max_completion_tokens: optional(count, 'At most `MODEL_MAX_OUTPUT_TOKENS` is used, if that is set.'),
  max_tokens: optional(count, 'The older name of `max_completion_tokens`.'),
  reasoning_effort: optional(word, 'In place of `MODEL_REASONING_EFFORT`.'),
  verbosity: optional(word, 'In place of `MODEL_VERBOSITY`.'),
  response_format: z.nullish(
    z.discriminatedUnion(
      'type',
      [
        z.object({ type: z.literal('text') }),
        z.object({ type: z.literal('json_object') }),
        z.object({
          type: z.literal('json_schema'),
          json_schema: z.object(schemaFields, 'must be a JSON object'),
        }),
      ],
      FORMATS,
    ),
  ),
  stop: z.nullish(
    z.union(
      [string, z.array(string).check(z.minLength(1), z.maxLength(4))],
      'must be a text or a list of 1 to 4 texts',
    ),
  ),
  seed: z.nullish(z.int('must be a whole number')),
  frequency_penalty: z.nullish(numberFrom(-2, 2)),
  presence_penalty: z.nullish(numberFrom(-2, 2)),
});

/** The validated body of POST /v1/chat/completions. */
export type ChatFields = z.infer<typeof chatFields>;
/** A validated message, or item of an input. */
export type MessageFields = z.infer<typeof chatMessage> | z.infer<typeof inputItem>;

const INPUT = 'must be a text, or a list of at least one message';

/** A message, or another item, which is refused by its type. */
const inputItem = z.looseObject(
  {
    type: z.nullish(string),
    role: z.nullish(string).check(z.describe('`system`, `developer`, `user` or `assistant`.')),
    content: z.nullish(z.union([string, z.array(part)], CONTENT)),
  },
  'must be an object with a "role" and a "content"',
);

/** The body of POST /v1/responses. Null is treated as absent. */
export const responseFields = z.object({
  ...COMMON,
  input: z
    .union([string, z.array(inputItem).check(z.minLength(1, INPUT))], {
      error: ({ input }) => (input === undefined ? 'is missing' : INPUT),
    })
    .check(z.describe('A question, or messages.')),
  instructions: optional(string, 'They follow `SYSTEM_PROMPT`.'),
  previous_response_id: optional(
    string,
    'The answer that this question follows. An older one begins a branch.',
  ),
  conversation: optional(
    z.union([string, z.object({ id: string })], 'must be an id, or an object with an "id"'),
    'The session of the question. Any id is a session.',
  ),
  store: optional(flag, '`false`: nothing is added to the session.'),
  stream_options: z.nullish(z.object({ include_obfuscation: z.nullish(flag) }, 'must be a JSON object')),
  max_output_tokens: optional(count, 'At most `MODEL_MAX_OUTPUT_TOKENS` is used, if that is set.'),
  reasoning: z.nullish(z.looseObject({ effort: z.nullish(word) }, 'must be a JSON object')),
  text: z.nullish(
    z.looseObject(
      {
        format: z.nullish(
          z.discriminatedUnion(
            'type',
            [
              z.object({ type: z.literal('text') }),
              z.object({ type: z.literal('json_object') }),
              z.object({ type: z.literal('json_schema'), ...schemaFields }),
            ],
            FORMATS,
          ),
        ),
        verbosity: z.nullish(word),
      },
      'must be a JSON object',
    ),
  ),
});

/** The validated body of POST /v1/responses. */
export type ResponseFields = z.infer<typeof responseFields>;

/** Values of other fields that change nothing, as JSON. Null changes nothing in any field. */
export const WITHOUT_EFFECT: Readonly<Record<string, readonly string[]>> = {
  n: ['1'],
  store: ['false'],
  tools: ['[]'],
  functions: ['[]'],
  tool_choice: ['"none"', '"auto"'],
  parallel_tool_calls: ['true', 'false'],
  logprobs: ['false'],
  top_logprobs: ['0'],
  logit_bias: ['{}'],
  modalities: ['["text"]'],
  service_tier: ['"auto"', '"default"'],
  background: ['false'],
  truncation: ['"disabled"'],
  include: ['[]', '["reasoning.encrypted_content"]'],
};
