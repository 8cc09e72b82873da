/**
 * The shapes of Azure OpenAI's answers, as far as this project sees them, from its published specifications: no field may
 * be missing, have another type, or be made up. All in Azure/azure-rest-api-specs:
 * - specification/ai/data-plane/OpenAI.v1/azure-v1-v1-generated.json: `AzureCreateChatCompletionResponse`,
 *   `AzureCreateChatCompletionStreamResponse`, `AzureResponse`, `AzureContentFilterResultForChoice`, and the events
 *   `OpenAI.ResponseStreamEvent`.
 * - specification/cognitiveservices/data-plane/AzureOpenAI/inference/stable/2024-10-21/inference.json:
 *   `promptFilterResults`, `contentFilterPromptResults` and `errorResponse`.
 * What the service is known to send beside has its source here.
 */
import { z } from 'zod';

const severity = z.strictObject({
  filtered: z.boolean(),
  severity: z.enum(['safe', 'low', 'medium', 'high']),
});
const detection = z.strictObject({ filtered: z.boolean(), detected: z.boolean() });
const categories = {
  hate: severity.optional(),
  self_harm: severity.optional(),
  sexual: severity.optional(),
  violence: severity.optional(),
};
const promptFilter = z.strictObject({
  prompt_index: z.int(),
  content_filter_results: z.strictObject({ ...categories, jailbreak: detection.optional() }),
});
const choiceFilter = z.strictObject({ ...categories, protected_material_text: detection.optional() });
const finishReason = z.enum(['stop', 'length', 'tool_calls', 'content_filter', 'function_call']);
const unixTime = z.int().positive();
const noList = z.array(z.never());

/** `cache_write_tokens`: developers.openai.com/api/docs/guides/prompt-caching. */
const usage = z.strictObject({
  prompt_tokens: z.int(),
  completion_tokens: z.int(),
  total_tokens: z.int(),
  prompt_tokens_details: z.strictObject({
    cached_tokens: z.int(),
    audio_tokens: z.int(),
    cache_write_tokens: z.int().optional(),
  }),
  completion_tokens_details: z.strictObject({
    reasoning_tokens: z.int(),
    audio_tokens: z.int(),
    accepted_prediction_tokens: z.int(),
    rejected_prediction_tokens: z.int(),
  }),
});

/** A plain chat completion. */
export const completion = z.strictObject({
  id: z.string().startsWith('chatcmpl-'),
  object: z.literal('chat.completion'),
  created: unixTime,
  model: z.string(),
  system_fingerprint: z.string(),
  choices: z.array(
    z.strictObject({
      index: z.int(),
      message: z.strictObject({
        role: z.literal('assistant'),
        content: z.string().nullable(),
        refusal: z.string().nullable(),
        annotations: noList,
      }),
      logprobs: z.null(),
      finish_reason: finishReason,
      content_filter_results: choiceFilter,
    }),
  ),
  prompt_filter_results: z.array(promptFilter).length(1),
  usage,
});
const delta = z.strictObject({
  role: z.literal('assistant').optional(),
  content: z.string().optional(),
  refusal: z.string().nullish(),
});

/** An ordinary chunk of a streamed chat completion, also the last one, which has the usage. */
const ordinaryChunk = z.strictObject({
  id: z.string().startsWith('chatcmpl-'),
  object: z.literal('chat.completion.chunk'),
  created: unixTime,
  model: z.string(),
  system_fingerprint: z.string(),
  choices: z.array(
    z.strictObject({
      index: z.int(),
      delta,
      logprobs: z.null(),
      finish_reason: finishReason.nullable(),
      content_filter_results: choiceFilter,
    }),
  ),
  usage: usage.nullish(),
});

const nameless = { id: z.literal(''), object: z.literal(''), created: z.literal(0), model: z.literal('') };

/** The first chunk: github.com/AbanteAI/archive-old-cli-mentat/issues/429. */
const promptChunk = z.strictObject({
  ...nameless,
  choices: noList,
  prompt_filter_results: z.array(promptFilter).length(1),
});

/** A chunk of the asynchronous filter: github.com/langchain-ai/langchain/issues/18977. */
const filterChunk = z.strictObject({
  ...nameless,
  choices: z.array(
    z.strictObject({
      index: z.int(),
      finish_reason: finishReason.nullable(),
      content_filter_results: choiceFilter,
      content_filter_offsets: z.strictObject({
        check_offset: z.int(),
        start_offset: z.int(),
        end_offset: z.int(),
      }),
    }),
  ),
  usage: z.null(),
});

/** A chunk of a streamed chat completion. */
export const chunk = z.union([ordinaryChunk, promptChunk, filterChunk]);

const part = z.discriminatedUnion('type', [
  z.strictObject({
    type: z.literal('output_text'),
    text: z.string(),
    annotations: noList,
    logprobs: noList,
  }),
  z.strictObject({ type: z.literal('refusal'), refusal: z.string() }),
]);
const summaryPart = z.strictObject({ type: z.literal('summary_text'), text: z.string() });
const messageItem = z.strictObject({
  id: z.string().startsWith('msg_'),
  type: z.literal('message'),
  role: z.literal('assistant'),
  status: z.enum(['in_progress', 'completed', 'incomplete']),
  content: z.array(part),
});
const reasoningItem = z.strictObject({
  id: z.string().startsWith('rs_'),
  type: z.literal('reasoning'),
  summary: z.array(summaryPart),
});
const item = z.discriminatedUnion('type', [messageItem, reasoningItem]);

/** A whole response. */
export const response = z.strictObject({
  id: z.string().startsWith('resp_'),
  object: z.literal('response'),
  created_at: unixTime,
  status: z.enum(['completed', 'failed', 'in_progress', 'incomplete']),
  error: z.strictObject({ code: z.string(), message: z.string() }).nullable(),
  incomplete_details: z.strictObject({ reason: z.enum(['max_output_tokens', 'content_filter']) }).nullable(),
  background: z.boolean(),
  instructions: z.string().nullable(),
  max_output_tokens: z.int().nullable(),
  metadata: z.record(z.string(), z.string()),
  model: z.string(),
  output: z.array(item),
  parallel_tool_calls: z.boolean(),
  previous_response_id: z.string().nullable(),
  reasoning: z.strictObject({ effort: z.string().nullable(), summary: z.string().nullable() }),
  store: z.boolean(),
  temperature: z.number(),
  text: z.strictObject({ format: z.looseObject({ type: z.string() }), verbosity: z.string().optional() }),
  tool_choice: z.string(),
  tools: z.array(z.looseObject({})),
  top_p: z.number(),
  truncation: z.enum(['auto', 'disabled']),
  usage: z
    .strictObject({
      input_tokens: z.int(),
      input_tokens_details: z.strictObject({
        cached_tokens: z.int(),
        cache_write_tokens: z.int().optional(),
      }),
      output_tokens: z.int(),
      output_tokens_details: z.strictObject({ reasoning_tokens: z.int() }),
      total_tokens: z.int(),
    })
    .nullable(),
  user: z.string().nullable(),
});

const event = (type: string, fields: z.ZodRawShape) =>
  z.strictObject({ type: z.literal(`response.${type}`), sequence_number: z.int(), ...fields });
const begins = { output: z.tuple([]), usage: z.null(), status: z.literal('in_progress') };
const inItem = { item_id: z.string(), output_index: z.int() };
const inContent = { ...inItem, content_index: z.int() };
const inSummary = { ...inItem, summary_index: z.int() };

/** An event of a streamed response. */
export const responseEvent = z.discriminatedUnion('type', [
  event('created', { response: response.extend(begins) }),
  event('in_progress', { response: response.extend(begins) }),
  event('completed', { response: response.extend({ status: z.literal('completed') }) }),
  event('incomplete', { response: response.extend({ status: z.literal('incomplete') }) }),
  event('failed', { response: response.extend({ status: z.literal('failed') }) }),
  // A message begins in progress, without content.
  event('output_item.added', {
    output_index: z.int(),
    item: z.discriminatedUnion('type', [
      messageItem.extend({ status: z.literal('in_progress'), content: z.tuple([]) }),
      reasoningItem.extend({ summary: z.tuple([]) }),
    ]),
  }),
  event('output_item.done', { output_index: z.int(), item }),
  event('content_part.added', { ...inContent, part }),
  event('content_part.done', { ...inContent, part }),
  event('output_text.delta', { ...inContent, delta: z.string(), logprobs: noList }),
  event('output_text.done', { ...inContent, text: z.string(), logprobs: noList }),
  event('refusal.delta', { ...inContent, delta: z.string() }),
  event('refusal.done', { ...inContent, refusal: z.string() }),
  event('reasoning_summary_part.added', { ...inSummary, part: summaryPart }),
  event('reasoning_summary_part.done', { ...inSummary, part: summaryPart }),
  event('reasoning_summary_text.delta', { ...inSummary, delta: z.string() }),
  event('reasoning_summary_text.done', { ...inSummary, text: z.string() }),
  z.strictObject({
    type: z.literal('error'),
    sequence_number: z.int(),
    code: z.string().nullable(),
    message: z.string(),
    param: z.string().nullable(),
  }),
]);

/** An error: of the gateway with `code` and `message` alone, of the model with all four. */
export const error = z.strictObject({
  error: z.strictObject({
    code: z.string().nullable(),
    message: z.string().min(1),
    type: z.string().nullish(),
    param: z.string().nullish(),
    status: z.int().optional(),
    innererror: z
      .strictObject({
        code: z.literal('ResponsibleAIPolicyViolation'),
        content_filter_result: promptFilter.shape.content_filter_results,
      })
      .optional(),
  }),
});
