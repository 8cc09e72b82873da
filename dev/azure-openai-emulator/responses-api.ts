/**
 * The shapes of the Responses API: `AzureResponse` in Azure/azure-rest-api-specs,
 * specification/ai/data-plane/OpenAI.v1/azure-v1-v1-generated.json, and for the events of a stream
 * platform.openai.com/docs/api-reference/responses-streaming.
 */
import { randomUUID } from 'node:crypto';
import { type Completion, estimateTokens, MODEL } from './completions.ts';
import type { Prompt } from './prompt.ts';
import { json, type Reply } from './refusals.ts';

/** An answer, whole or as the events of a stream, and its id. */
export function respond({ body, stream }: Prompt, completion: Completion): { id: string; reply: Reply } {
  const response = toResponse(body, completion);
  const reply = stream ? events(toEvents(response)) : json(200, response);
  return { id: response.id, reply };
}

/** A stream that breaks off with the event `error`, or with a response that has failed. */
export function failing({ body }: Prompt, how: 'error' | 'failed'): Reply {
  const response = toResponse(body, {
    model: MODEL,
    content: null,
    finishReason: 'stop',
    promptTokens: 0,
    cachedTokens: 0,
    reasoningTokens: 0,
  });
  const created = { type: 'response.created', response: { ...response, status: 'in_progress', usage: null } };
  const message = 'The server had an error while processing your request. Sorry about that!';
  if (how === 'error')
    return events([created, { type: 'error', code: 'server_error', message, param: null }]);
  const error = { code: 'server_error', message };
  return events([created, { type: 'response.failed', response: { ...response, status: 'failed', error } }]);
}

interface TextPart {
  type: 'output_text';
  text: string;
  annotations: [];
  logprobs: [];
}

type Part = TextPart | { type: 'refusal'; refusal: string };

interface MessageItem {
  id: string;
  type: 'message';
  role: 'assistant';
  status: string;
  content: Part[];
}

interface ReasoningItem {
  id: string;
  type: 'reasoning';
  summary: { type: 'summary_text'; text: string }[];
}

/** The status of a response, by the `finish_reason` that chat completions would have. */
const INCOMPLETE: Record<string, string> = { length: 'max_output_tokens', content_filter: 'content_filter' };

function toResponse(body: Prompt['body'], completion: Completion) {
  const { model, content, promptTokens, cachedTokens, cacheWriteTokens, reasoningTokens } = completion;
  const reason = INCOMPLETE[completion.finishReason];
  const textTokens = estimateTokens(content ?? '');
  return {
    id: `resp_${randomUUID()}`,
    object: 'response',
    created_at: Math.floor(Date.now() / 1000),
    status: reason ? 'incomplete' : 'completed',
    error: null as object | null,
    incomplete_details: reason ? { reason } : null,
    model,
    output: toOutput(completion, reason ? 'incomplete' : 'completed'),
    ...echoOf(body),
    usage: {
      input_tokens: promptTokens,
      input_tokens_details: {
        cached_tokens: cachedTokens,
        ...(cacheWriteTokens !== undefined && { cache_write_tokens: cacheWriteTokens }),
      },
      output_tokens: textTokens + reasoningTokens,
      output_tokens_details: { reasoning_tokens: reasoningTokens },
      total_tokens: promptTokens + textTokens + reasoningTokens,
    },
  };
}

/** The parameters that a response repeats, with their defaults. */
const echoOf = (body: Prompt['body']) => ({
  background: false,
  instructions: body['instructions'] ?? null,
  max_output_tokens: body['max_output_tokens'] ?? null,
  metadata: body['metadata'] ?? {},
  parallel_tool_calls: body['parallel_tool_calls'] ?? true,
  previous_response_id: body['previous_response_id'] ?? null,
  reasoning: { effort: null, summary: null, ...(body['reasoning'] as object | null | undefined) },
  store: body['store'] ?? true,
  temperature: body['temperature'] ?? 1,
  text: { format: { type: 'text' }, ...(body['text'] as object | null | undefined) },
  tool_choice: body['tool_choice'] ?? 'auto',
  tools: body['tools'] ?? [],
  top_p: body['top_p'] ?? 1,
  truncation: body['truncation'] ?? 'disabled',
  user: body['user'] ?? null,
});

function toOutput({ content, reasoningTokens, refusal }: Completion, status: string) {
  const output: (MessageItem | ReasoningItem)[] = [];
  if (reasoningTokens > 0) {
    const summary = [{ type: 'summary_text' as const, text: 'Thinking about the question.' }];
    output.push({ id: `rs_${randomUUID()}`, type: 'reasoning', summary });
  }
  if (!content && !refusal) return output;
  const part: Part = refusal
    ? { type: 'refusal', refusal }
    : { type: 'output_text', text: content ?? '', annotations: [], logprobs: [] };
  output.push({ id: `msg_${randomUUID()}`, type: 'message', role: 'assistant', status, content: [part] });
  return output;
}

function toEvents(response: ReturnType<typeof toResponse>): object[] {
  const started = {
    ...response,
    status: 'in_progress',
    incomplete_details: null,
    output: [],
    usage: null,
  };
  const items = response.output.flatMap((item, index) => [
    { type: 'response.output_item.added', output_index: index, item: begun(item) },
    ...(item.type === 'reasoning' ? toSummaryEvents(item, index) : toTextEvents(item, index)),
    { type: 'response.output_item.done', output_index: index, item },
  ]);
  const end = response.status === 'completed' ? 'response.completed' : 'response.incomplete';
  return [
    { type: 'response.created', response: started },
    { type: 'response.in_progress', response: started },
    ...items,
    { type: end, response },
  ];
}

/** An item before its content. */
const begun = (item: MessageItem | ReasoningItem): object =>
  item.type === 'reasoning' ? { ...item, summary: [] } : { ...item, status: 'in_progress', content: [] };

function toSummaryEvents({ id, summary }: ReasoningItem, index: number): object[] {
  return summary.flatMap((part, summaryIndex) => {
    const place = { item_id: id, output_index: index, summary_index: summaryIndex };
    const name = 'response.reasoning_summary';
    return [
      { type: `${name}_part.added`, ...place, part: { ...part, text: '' } },
      { type: `${name}_text.delta`, ...place, delta: part.text },
      { type: `${name}_text.done`, ...place, text: part.text },
      { type: `${name}_part.done`, ...place, part },
    ];
  });
}

function toTextEvents({ id, content }: MessageItem, index: number): object[] {
  return content.flatMap((part, contentIndex) => {
    const place = { item_id: id, output_index: index, content_index: contentIndex };
    const inner = part.type === 'refusal' ? refusalEvents(part.refusal) : textEvents(part.text);
    const empty = part.type === 'refusal' ? { ...part, refusal: '' } : { ...part, text: '' };
    return [
      { type: 'response.content_part.added', ...place, part: empty },
      ...inner.map((event) => ({ ...event, ...place })),
      { type: 'response.content_part.done', ...place, part },
    ];
  });
}

const refusalEvents = (refusal: string): object[] => [
  { type: 'response.refusal.delta', delta: refusal },
  { type: 'response.refusal.done', refusal },
];

const textEvents = (text: string): object[] => [
  ...text
    .split(/(?<=\s)(?=\S)/)
    .filter(Boolean)
    .map((delta) => ({ type: 'response.output_text.delta', delta, logprobs: [] })),
  { type: 'response.output_text.done', text, logprobs: [] },
];

function events(list: object[]): Reply {
  const parts = list.map((event, index) => {
    const { type } = event as { type: string };
    return `event: ${type}\ndata: ${JSON.stringify({ ...event, sequence_number: index })}\n\n`;
  });
  return { status: 200, headers: { 'content-type': 'text/event-stream; charset=utf-8' }, parts };
}
