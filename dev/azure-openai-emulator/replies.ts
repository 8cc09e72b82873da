/** The shapes in which Azure OpenAI sends answers and errors, and the faults that can take their place. */
import { randomUUID } from 'node:crypto';
import { answerTo, type Message } from './answers.ts';
import {
  CONTENT_FILTERED,
  json,
  NO_DEPLOYMENT,
  promptFilterResult,
  type Reply,
  tooLong,
  toError,
} from './refusals.ts';

/** What one chat request gets instead of an ordinary answer. */
export type Fault = ReplyFault | ConnectionFault;

/** Another reply. */
type ReplyFault =
  /** An error with this status. The `retry-after` headers are sent as given (s or date, ms). */
  | {
      kind: 'status';
      status: number;
      retryAfter?: string;
      retryAfterMs?: string;
      code?: string;
      message?: string;
    }
  /** The 400 of Azure's content filter. */
  | { kind: 'content_filter' }
  /** The answer is withdrawn by the asynchronous content filter; of a stream, half of the text has come by then. */
  | { kind: 'async_content_filter' }
  /** The 400 for a conversation that is too long, in the words of GPT-4o or of newer models. */
  | { kind: 'context_length'; words?: 'older' | 'newer' }
  /** The 404 for a deployment that is not there, or not any more. */
  | { kind: 'no_deployment' }
  /** A 200 whose body is not JSON. */
  | { kind: 'garbage' }
  /** A 200 without a body. */
  | { kind: 'empty' }
  /** A 200 with this text; `finishReason` is `stop` by default. Reasoning is counted as completion tokens. */
  | { kind: 'answer'; content: string | null; finishReason?: string; reasoningTokens?: number };

/** No reply, or not all of one. Over HTTP/1.1 resets and refusals close the connection. */
type ConnectionFault =
  /** No answer until the client gives up. */
  | { kind: 'hang' }
  /** Half an answer, and no more until the client gives up. */
  | { kind: 'stall' }
  /** Half an answer, and the stream is reset. */
  | { kind: 'break' }
  /** The stream is reset before any answer. */
  | { kind: 'reset' }
  /** The stream is refused, which says that nothing was done for it. */
  | { kind: 'refuse' }
  /** The connection takes no more streams, this one included. */
  | { kind: 'goaway' }
  /** The connection breaks, with all that is under way on it. */
  | { kind: 'lose_connection' };

/** What decides a reply: the conversation, the request's JSON, and whether it wants a stream. */
export interface Prompt {
  messages: Message[];
  body: Record<string, unknown>;
  stream: boolean;
}

interface RawMessage {
  role: string;
  content?: string | { text?: string }[] | null;
}

interface Completion {
  content: string | null;
  finishReason: string;
  promptTokens: number;
  reasoningTokens: number;
}

const MODEL = 'gpt-4o-2024-11-20';
const FINGERPRINT = 'fp_emulator';
/** Reads a chat request's body; null when it is not JSON or holds no messages. */
export function readPrompt(text: string): Prompt | null {
  try {
    const body = JSON.parse(text) as Record<string, unknown> & { messages: RawMessage[] };
    const messages = body.messages.map(toMessage);
    return messages.length > 0 ? { messages, body, stream: body['stream'] === true } : null;
  } catch {
    return null;
  }
}

function toMessage({ role, content }: RawMessage): Message {
  const parts = typeof content === 'string' ? [content] : (content ?? []).map((part) => part.text ?? '');
  return { role, content: parts.join('') };
}

/** The model's answer, or what the fault makes of it. */
export function replyTo(prompt: Prompt, fault?: ReplyFault): Reply {
  switch (fault?.kind) {
    case 'answer':
      return complete(prompt, fault);
    case 'status':
      return failed(fault);
    case 'content_filter':
      return CONTENT_FILTERED;
    case 'async_content_filter':
      return prompt.stream
        ? withdrawn(prompt)
        : complete(prompt, { content: '', finishReason: 'content_filter' });
    case 'context_length':
      return tooLong(fault.words ?? 'older');
    case 'no_deployment':
      return NO_DEPLOYMENT;
    case 'garbage':
      return json(200, '<html>This is no JSON.');
    case 'empty':
      return json(200, '');
    default:
      return complete(prompt, { content: answerTo(prompt.messages) });
  }
}

function complete({ messages, body, stream }: Prompt, answer: Partial<Completion>): Reply {
  const promptTokens = estimateTokens(messages.map((message) => message.content).join(''));
  const completion = { content: null, finishReason: 'stop', reasoningTokens: 0, promptTokens, ...answer };
  if (!stream) return json(200, toCompletion(completion));
  const options = body['stream_options'] as { include_usage?: boolean } | null | undefined;
  return events(toChunks(completion, options?.include_usage === true));
}

/**
 * A stream whose last choice has no `delta`: learn.microsoft.com/azure/ai-foundry/openai/concepts/content-streaming,
 * and github.com/openai/openai-python/issues/1677.
 */
function withdrawn(prompt: Prompt): Reply {
  const text = answerTo(prompt.messages);
  const completion = { content: text.slice(0, text.length / 2), promptTokens: 1, reasoningTokens: 0 };
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
    parts: data.map((each) => `data: ${each}\n\n`),
  };
}

function failed({ status, retryAfter, retryAfterMs, code, message }: Fault & { kind: 'status' }): Reply {
  return json(status, toError(code ?? String(status), message ?? `Emulated error ${status}.`), {
    ...(retryAfter !== undefined && { 'retry-after': retryAfter }),
    ...(retryAfterMs !== undefined && { 'retry-after-ms': retryAfterMs }),
  });
}

// A rough estimate, four characters each: real tokenizers differ by language and model.
function estimateTokens(text: string): number {
  return Math.max(1, Math.ceil(text.length / 4));
}

function toCompletion(completion: Completion): object {
  return {
    ...head('chat.completion'),
    choices: [
      {
        index: 0,
        message: { role: 'assistant', content: completion.content, refusal: null },
        logprobs: null,
        finish_reason: completion.finishReason,
      },
    ],
    usage: usageOf(completion),
  };
}

/** In Azure's order, one word a chunk. */
function toChunks(completion: Completion, includeUsage: boolean): object[] {
  const common = { ...head('chat.completion.chunk'), ...(includeUsage && { usage: null }) };
  const chunk = (delta: object, finishReason: string | null = null): object => ({
    ...common,
    choices: [{ index: 0, delta, logprobs: null, finish_reason: finishReason }],
  });
  const words = completion.content?.split(/(?<=\s)(?=\S)/).filter(Boolean) ?? [];
  return [
    {
      choices: [],
      created: 0,
      id: '',
      model: '',
      object: '',
      prompt_filter_results: [promptFilterResult(false)],
    },
    chunk({ role: 'assistant', content: '', refusal: null }),
    ...words.map((content) => chunk({ content })),
    chunk({}, completion.finishReason),
    ...(includeUsage ? [{ ...common, choices: [], usage: usageOf(completion) }] : []),
  ];
}

function head(object: string): object {
  return {
    id: `chatcmpl-${randomUUID()}`,
    object,
    created: Math.floor(Date.now() / 1000),
    model: MODEL,
    system_fingerprint: FINGERPRINT,
  };
}

function usageOf({ content, promptTokens, reasoningTokens }: Completion): object {
  const completionTokens = estimateTokens(content ?? '') + reasoningTokens;
  return {
    prompt_tokens: promptTokens,
    completion_tokens: completionTokens,
    total_tokens: promptTokens + completionTokens,
    prompt_tokens_details: { cached_tokens: 0, audio_tokens: 0 },
    completion_tokens_details: { reasoning_tokens: reasoningTokens, audio_tokens: 0 },
  };
}
