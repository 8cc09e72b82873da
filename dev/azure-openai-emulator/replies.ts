/** Selects the HTTP response for a chat request: the model's answer, or the response that a fault asks for. */
import type { Message } from './answers.ts';
import { type Completion, estimateTokens, toChunks, toCompletion } from './completions.ts';
import { WITHDRAWN } from './content-filter.ts';
import type { ReplyFault } from './faults.ts';
import { failing, respond } from './responses-api.ts';
import type { Prompt } from './prompt.ts';
import { type PromptCache, uncached } from './prompt-cache.ts';
import type { Quota } from './quota.ts';
import {
  CONTENT_FILTERED,
  json,
  NO_DEPLOYMENT,
  RETIRED_MODEL,
  type Reply,
  STREAM_ERROR,
  tooLong,
  toError,
} from './refusals.ts';
import { limitOutput } from './output-limits.ts';

/** The model that replies. */
export interface Model {
  /** Name and version. */
  model: string;
  /** Gives the answer to a conversation. */
  answers: (messages: Message[]) => string;
  /** Null when every token has the ordinary price. */
  promptCache: PromptCache | null;
  reasoning: { tokens: number } | undefined;
  quota: Quota;
  /** The conversations of the responses that are kept, by id. */
  responses: Map<string, Message[]>;
}

/** Returns the model's answer, or the response that `fault` asks for. */
export function replyTo(prompt: Prompt, model: Model, fault?: ReplyFault): Reply {
  const { answers, reasoning } = model;
  switch (fault?.kind) {
    case 'answer':
      return complete(prompt, model, fault);
    case 'status':
      return failed(fault);
    case 'content_filter':
      return CONTENT_FILTERED;
    case 'async_content_filter':
      return prompt.stream
        ? withdrawn(prompt, model)
        : complete(prompt, model, { content: '', finishReason: 'content_filter' });
    case 'context_length':
      return tooLong(fault.wording ?? 'older');
    case 'retired_model':
      return RETIRED_MODEL;
    case 'no_deployment':
      return NO_DEPLOYMENT;
    case 'stream_error':
      return prompt.api === 'responses' ? failing(prompt, fault.event ?? 'error') : events([STREAM_ERROR]);
    case 'garbage':
      return json(200, '<html>This is not JSON.');
    case 'empty':
      return json(200, '');
    default:
      return complete(prompt, model, {
        content: answers(withPrevious(prompt, model)),
        reasoningTokens: reasoning?.tokens ?? 0,
      });
  }
}

function complete(prompt: Prompt, model: Model, answer: Partial<Completion>): Reply {
  const { api, body, stream } = prompt;
  const messages = withPrevious(prompt, model);
  const key = body['prompt_cache_key'];
  const usage = model.promptCache?.use(messages, typeof key === 'string' ? key : '') ?? uncached(messages);
  const whole = { model: model.model, content: null, finishReason: 'stop', reasoningTokens: 0 };
  const completion = limitOutput({ ...whole, ...usage, ...answer }, body);
  const { content } = completion;
  const headers = model.quota.use(usage.promptTokens + estimateTokens(content ?? ''));
  if (api === 'responses') {
    const { id, reply } = respond(prompt, completion);
    const said = [...messages, { role: 'assistant', content: content ?? '' }];
    if (body['store'] !== false) model.responses.set(id, said);
    return withHeaders(reply, headers);
  }
  if (!stream) return json(200, toCompletion(completion), headers);
  const options = body['stream_options'] as { include_usage?: boolean } | null | undefined;
  return withHeaders(events(toChunks(completion, options?.include_usage === true)), headers);
}

/** The conversation, with that of the response before it. */
function withPrevious({ body, messages }: Prompt, { responses }: Model): Message[] {
  return [...(responses.get(String(body['previous_response_id'])) ?? []), ...messages];
}

const withHeaders = (reply: Reply, headers: Record<string, string>): Reply => ({
  ...reply,
  headers: { ...reply.headers, ...headers },
});

/** A stream that the asynchronous content filter ends. */
function withdrawn(prompt: Prompt, model: Model): Reply {
  const text = model.answers(prompt.messages);
  const half = text.slice(0, text.length / 2);
  if (prompt.api === 'responses')
    return complete(prompt, model, { content: half, finishReason: 'content_filter' });
  const completion = {
    model: model.model,
    content: half,
    promptTokens: 1,
    cachedTokens: 0,
    reasoningTokens: 0,
  };
  const chunks = toChunks({ ...completion, finishReason: 'stop' }, false).slice(0, -1);
  return events([...chunks, WITHDRAWN]);
}

function events(chunks: object[]): Reply {
  const data = [...chunks.map((chunk) => JSON.stringify(chunk)), '[DONE]'];
  return {
    status: 200,
    headers: { 'content-type': 'text/event-stream; charset=utf-8' },
    parts: data.map((event) => `data: ${event}\n\n`),
  };
}

function failed({
  status,
  retryAfter,
  retryAfterMs,
  code,
  message,
  headers,
}: ReplyFault & { kind: 'status' }): Reply {
  return json(status, toError(code ?? String(status), message ?? `Emulated error ${status}.`), {
    ...(retryAfter !== undefined && { 'retry-after': retryAfter }),
    ...(retryAfterMs !== undefined && { 'retry-after-ms': retryAfterMs }),
    ...headers,
  });
}
