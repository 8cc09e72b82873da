/**
 * The shapes of the Responses API: platform.openai.com/docs/api-reference/responses, and for Azure
 * learn.microsoft.com/azure/ai-foundry/openai/how-to/responses.
 */
import { randomUUID } from 'node:crypto';
import { type Completion, estimateTokens, MODEL } from './completions.ts';
import { json, type Reply } from './refusals.ts';

/** An answer, whole or as the events of a stream. */
export function respond(stream: boolean, completion: Completion): Reply {
  const response = toResponse(completion);
  if (!stream) return json(200, response);
  return events(toEvents(response, completion));
}

/** A stream that breaks off with the event `error`, or with a response that has failed. */
export function failing(how: 'error' | 'failed'): Reply {
  const response = toResponse({
    model: MODEL,
    content: null,
    finishReason: 'stop',
    promptTokens: 0,
    cachedTokens: 0,
    reasoningTokens: 0,
  });
  const created = { type: 'response.created', response: { ...response, status: 'in_progress' } };
  const message = 'The server had an error while processing your request. Sorry about that!';
  if (how === 'error')
    return events([created, { type: 'error', code: 'server_error', message, param: null }]);
  const error = { code: 'server_error', message };
  return events([created, { type: 'response.failed', response: { ...response, status: 'failed', error } }]);
}

interface OutputItem {
  id: string;
  type: string;
  [name: string]: unknown;
}

/** What became of it, by the `finish_reason` that chat completions would have. */
const INCOMPLETE: Record<string, string> = { length: 'max_output_tokens', content_filter: 'content_filter' };

function toResponse(completion: Completion) {
  const { model, content, finishReason, promptTokens, cachedTokens, cacheWriteTokens } = completion;
  const { reasoningTokens, refusal } = completion;
  const reason = INCOMPLETE[finishReason];
  const textTokens = estimateTokens(content ?? '');
  const output: OutputItem[] = [];
  if (reasoningTokens > 0) output.push({ id: `rs_${randomUUID()}`, type: 'reasoning', summary: [] });
  const part = refusal
    ? { type: 'refusal', refusal }
    : { type: 'output_text', text: content ?? '', annotations: [], logprobs: [] };
  if (content || refusal) {
    output.push({
      id: `msg_${randomUUID()}`,
      type: 'message',
      role: 'assistant',
      status: reason ? 'incomplete' : 'completed',
      content: [part],
    });
  }
  return {
    id: `resp_${randomUUID()}`,
    object: 'response',
    created_at: Math.floor(Date.now() / 1000),
    status: reason ? 'incomplete' : 'completed',
    error: null as object | null,
    incomplete_details: reason ? { reason } : null,
    instructions: null,
    model,
    output,
    parallel_tool_calls: true,
    previous_response_id: null,
    store: false,
    text: { format: { type: 'text' } },
    tool_choice: 'auto',
    tools: [],
    truncation: 'disabled',
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
    metadata: {},
  };
}

function toEvents(response: ReturnType<typeof toResponse>, { content, refusal }: Completion): object[] {
  const started = { ...response, status: 'in_progress', output: [], usage: null };
  const items = response.output.flatMap((item, index) => [
    { type: 'response.output_item.added', output_index: index, item: { ...item, content: [], summary: [] } },
    ...(item.type === 'reasoning' ? [toReasoningEvent(item.id, index)] : []),
    ...(item.type === 'message' ? toTextEvents(item.id, index, content ?? '', refusal) : []),
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

const toReasoningEvent = (id: string, index: number) => ({
  type: 'response.reasoning_summary_text.delta',
  item_id: id,
  output_index: index,
  summary_index: 0,
  delta: 'Thinking about the question.',
});

function toTextEvents(id: string, index: number, text: string, refusal: string | undefined): object[] {
  const place = { item_id: id, output_index: index, content_index: 0 };
  if (refusal) {
    return [
      { type: 'response.refusal.delta', ...place, delta: refusal },
      { type: 'response.refusal.done', ...place, refusal },
    ];
  }
  const words = text.split(/(?<=\s)(?=\S)/).filter(Boolean);
  const part = { type: 'output_text', text: '', annotations: [] };
  return [
    { type: 'response.content_part.added', ...place, part },
    ...words.map((delta) => ({ type: 'response.output_text.delta', ...place, delta, logprobs: [] })),
    { type: 'response.output_text.done', ...place, text },
    { type: 'response.content_part.done', ...place, part: { ...part, text } },
  ];
}

function events(list: object[]): Reply {
  const parts = list.map((event, index) => {
    const { type } = event as { type: string };
    return `event: ${type}\ndata: ${JSON.stringify({ ...event, sequence_number: index })}\n\n`;
  });
  return { status: 200, headers: { 'content-type': 'text/event-stream; charset=utf-8' }, parts };
}
