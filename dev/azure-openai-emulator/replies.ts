/** Selects the HTTP response for a chat request: the model's answer, or the response that a fault asks for. */
import type { Message } from './answers.ts';
import { type Completion, toChunks, toCompletion } from './completions.ts';
import type { ReplyFault } from './faults.ts';
import { failing, respond } from './responses-api.ts';
import type { Prompt } from './prompt.ts';
import { type PromptCache, uncached } from './prompt-cache.ts';
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

/** The model that replies. */
interface Model {
  /** Name and version. */
  model: string;
  answers: (messages: Message[]) => string;
  promptCache: PromptCache | null;
  reasoning: { tokens: number } | undefined;
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
      return prompt.api === 'responses' ? failing(fault.event ?? 'error') : events([STREAM_ERROR]);
    case 'garbage':
      return json(200, '<html>This is not JSON.');
    case 'empty':
      return json(200, '');
    default:
      return complete(prompt, model, {
        content: answers(prompt.messages),
        reasoningTokens: reasoning?.tokens ?? 0,
      });
  }
}

function complete(
  { api, messages, body, stream }: Prompt,
  { model, promptCache }: Model,
  answer: Partial<Completion>,
): Reply {
  const key = body['prompt_cache_key'];
  const usage = promptCache?.use(messages, typeof key === 'string' ? key : '') ?? uncached(messages);
  const completion = {
    model,
    content: null,
    finishReason: 'stop',
    reasoningTokens: 0,
    ...usage,
    ...answer,
  };
  if (api === 'responses') return respond(stream, completion);
  if (!stream) return json(200, toCompletion(completion));
  const options = body['stream_options'] as { include_usage?: boolean } | null | undefined;
  return events(toChunks(completion, options?.include_usage === true));
}

/**
 * A stream that the asynchronous content filter ends. Its last choice has no `delta`:
 * learn.microsoft.com/azure/ai-foundry/openai/concepts/content-streaming, and
 * github.com/openai/openai-python/issues/1677.
 */
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
  const end = {
    id: '',
    object: '',
    created: 0,
    model: '',
    choices: [
      {
        index: 0,
        finish_reason: 'content_filter',
        content_filter_results: { protected_material_text: { detected: true, filtered: true } },
        content_filter_offsets: { check_offset: 44, start_offset: 44, end_offset: 65 },
      },
    ],
    usage: null,
  };
  return events([...chunks, end]);
}

function events(chunks: object[]): Reply {
  const data = [...chunks.map((chunk) => JSON.stringify(chunk)), '[DONE]'];
  return {
    status: 200,
    headers: { 'content-type': 'text/event-stream; charset=utf-8' },
    parts: data.map((event) => `data: ${event}\n\n`),
  };
}

function failed({ status, retryAfter, retryAfterMs, code, message }: ReplyFault & { kind: 'status' }): Reply {
  return json(status, toError(code ?? String(status), message ?? `Emulated error ${status}.`), {
    ...(retryAfter !== undefined && { 'retry-after': retryAfter }),
    ...(retryAfterMs !== undefined && { 'retry-after-ms': retryAfterMs }),
  });
}
