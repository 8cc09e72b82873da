/**
 * The bodies that the two APIs accept: `AzureCreateChatCompletionRequest` and `AzureCreateResponse` in
 * Azure/azure-rest-api-specs, specification/ai/data-plane/OpenAI.v1/azure-v1-v1-generated.json, and
 * `createChatCompletionRequest` in specification/cognitiveservices/data-plane/AzureOpenAI/inference/stable/2024-10-21.
 * The fields that these lack but the service accepts are those of OpenAI's client (openai-node,
 * src/resources/chat/completions/completions.ts and src/resources/responses/responses.ts). Fields on which answers do not depend
 * are only checked for their name and their kind.
 */
import { z } from 'zod';

const count = z.int().min(1).nullish();
const flag = z.boolean().nullish();
const text = z.string().nullish();
const anything = z.looseObject({}).nullish();
const list = z.array(z.looseObject({})).nullish();
const choice = z.union([z.string(), z.looseObject({})]).nullish();
const penalty = z.number().min(-2).max(2).nullish();
const effort = z.enum(['none', 'minimal', 'low', 'medium', 'high', 'xhigh', 'max']).nullish();
const verbosity = z.enum(['low', 'medium', 'high']).nullish();

/** What both APIs have. */
const COMMON = {
  metadata: z.record(z.string(), z.string()).nullish(),
  parallel_tool_calls: flag,
  prompt_cache_key: text,
  prompt_cache_retention: text,
  safety_identifier: text,
  service_tier: text,
  store: flag,
  stream: flag,
  temperature: z.number().min(0).max(2).nullish(),
  tool_choice: choice,
  tools: list,
  top_logprobs: z.int().min(0).max(20).nullish(),
  top_p: z.number().min(0).max(1).nullish(),
  user: text,
};

/** A part of a message. Its own fields depend on its type. */
const partOf = <const Types extends [string, ...string[]]>(types: Types) =>
  z.array(z.looseObject({ type: z.enum(types), text: z.string().optional() })).min(1);

const CHAT_ROLES = ['system', 'assistant', 'user', 'function', 'tool', 'developer'] as const;

const chatMessage = z.strictObject({
  role: z.enum(CHAT_ROLES),
  content: z
    .union([z.string(), partOf(['text', 'image_url', 'input_audio', 'refusal', 'audio', 'file'])])
    .nullish(),
  name: text,
  refusal: text,
  audio: anything,
  tool_calls: list,
  tool_call_id: text,
  function_call: anything,
});

/** The body of a chat completion request. */
export const chatSchema = z.strictObject({
  ...COMMON,
  messages: z.array(chatMessage).min(1),
  /** The v1 API takes the deployment from it. */
  model: text,
  audio: anything,
  data_sources: list,
  frequency_penalty: penalty,
  function_call: choice,
  functions: list,
  logit_bias: z.record(z.string(), z.int()).nullish(),
  logprobs: flag,
  max_completion_tokens: count,
  max_tokens: count,
  modalities: z.array(z.string()).nullish(),
  n: z.int().min(1).max(128).nullish(),
  prediction: anything,
  presence_penalty: penalty,
  reasoning_effort: effort,
  response_format: z.looseObject({ type: z.enum(['text', 'json_object', 'json_schema']) }).nullish(),
  seed: z.int().nullish(),
  stop: z.union([z.string(), z.array(z.string()).min(1).max(4)]).nullish(),
  stream_options: z.strictObject({ include_usage: flag, include_obfuscation: flag }).nullish(),
  user_security_context: anything,
  verbosity,
});

const INPUT_PARTS = ['input_text', 'input_image', 'input_file', 'input_audio'] as const;
const OUTPUT_PARTS = ['output_text', 'refusal'] as const;

const itemOf = <Role extends z.ZodType, Content extends z.ZodType>(role: Role, content: Content) =>
  z.strictObject({
    type: z.literal('message').optional(),
    id: text,
    status: text,
    role,
    content: z.union([z.string(), content]),
  });

/** The parts of the model's messages are output, those of all other messages input. */
const inputMessage = z.discriminatedUnion('role', [
  itemOf(z.literal('assistant'), partOf([...OUTPUT_PARTS])),
  itemOf(z.enum(['system', 'developer', 'user']), partOf([...INPUT_PARTS])),
]);

const inputItem = z.union([
  inputMessage,
  z.looseObject({ type: z.enum(['reasoning', 'function_call', 'function_call_output', 'item_reference']) }),
]);

/** The body of a request for a response. */
export const responsesSchema = z.strictObject({
  ...COMMON,
  model: z.string(),
  background: flag,
  include: z.array(z.string()).nullish(),
  input: z.union([z.string(), z.array(inputItem)]),
  instructions: text,
  // The minimum: github.com/vectorize-io/hindsight/issues/58.
  max_output_tokens: z.int().min(16).nullish(),
  max_tool_calls: count,
  previous_response_id: text,
  prompt: anything,
  reasoning: z.strictObject({ effort, summary: text, generate_summary: text }).nullish(),
  stream_options: z.strictObject({ include_obfuscation: flag }).nullish(),
  text: z
    .strictObject({
      format: z.looseObject({ type: z.enum(['text', 'json_object', 'json_schema']) }).nullish(),
      verbosity,
    })
    .nullish(),
  truncation: z.enum(['auto', 'disabled']).nullish(),
});
