/** The shapes in which Azure OpenAI sends answers and errors, and the faults that can take their place. */
import { randomUUID } from 'node:crypto';
import { answerTo, type Message } from './answers.ts';

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
  /** A 200 whose body is not JSON. */
  | { kind: 'garbage' }
  /** A 200 without a body. */
  | { kind: 'empty' }
  /** A 200 with this text; `finishReason` is `stop` by default. */
  | { kind: 'answer'; content: string | null; finishReason?: string };

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
  | { kind: 'goaway' };

/** A response, in the parts in which it is written. */
export interface Reply {
  status: number;
  headers: Record<string, string>;
  parts: string[];
}

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
}

const MODEL = 'gpt-4o-2024-11-20';
const FINGERPRINT = 'fp_emulator';
/** For an unknown address, and for a request that names no API version. */
export const NOT_FOUND: Reply = json(404, toError('404', 'Resource not found'));

/** For a request without the key. */
export const WRONG_KEY: Reply = json(
  401,
  toError(
    '401',
    'Access denied due to invalid subscription key or wrong API endpoint. Make sure to provide a valid key for an active subscription and use a correct regional API endpoint for your resource.',
  ),
);

/** For a request that is not JSON or holds no messages. */
export const INVALID: Reply = json(
  400,
  toError(null, 'The request must be JSON with a list of messages.', { type: 'invalid_request_error' }),
);

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
      return complete(prompt, fault.content, fault.finishReason);
    case 'status':
      return failed(fault);
    case 'content_filter':
      return json(400, contentFilterError());
    case 'garbage':
      return json(200, '<html>This is no JSON.');
    case 'empty':
      return json(200, '');
    default:
      return complete(prompt, answerTo(prompt.messages));
  }
}

function complete({ messages, body, stream }: Prompt, content: string | null, finishReason = 'stop'): Reply {
  const promptTokens = estimateTokens(messages.map((message) => message.content).join(''));
  const completion: Completion = { content, finishReason, promptTokens };
  if (!stream) return json(200, toCompletion(completion));
  const options = body['stream_options'] as { include_usage?: boolean } | null | undefined;
  const events = toChunks(completion, options?.include_usage === true).map((chunk) => JSON.stringify(chunk));
  return {
    status: 200,
    headers: { 'content-type': 'text/event-stream; charset=utf-8' },
    parts: [...events, '[DONE]'].map((data) => `data: ${data}\n\n`),
  };
}

function failed({ status, retryAfter, retryAfterMs, code, message }: Fault & { kind: 'status' }): Reply {
  return json(status, toError(code ?? String(status), message ?? `Emulated error ${status}.`), {
    ...(retryAfter !== undefined && { 'retry-after': retryAfter }),
    ...(retryAfterMs !== undefined && { 'retry-after-ms': retryAfterMs }),
  });
}

/** Text is sent as it is. */
function json(status: number, body: object | string, headers: Record<string, string> = {}): Reply {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  const length = String(Buffer.byteLength(text));
  return {
    status,
    headers: { 'content-type': 'application/json', 'content-length': length, ...headers },
    parts: [text],
  };
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

function toError(code: string | null, message: string, more: object = {}): object {
  return { error: { message, type: null, param: null, code, ...more } };
}

function contentFilterError(): object {
  const message =
    "The response was filtered due to the prompt triggering Azure OpenAI's content management policy. Please modify your prompt and retry.";
  return toError('content_filter', message, {
    param: 'prompt',
    status: 400,
    innererror: {
      code: 'ResponsibleAIPolicyViolation',
      content_filter_result: promptFilterResult(true).content_filter_results,
    },
  });
}

function promptFilterResult(violent: boolean) {
  const safe = { filtered: false, severity: 'safe' };
  const violence = violent ? { filtered: true, severity: 'high' } : safe;
  return { prompt_index: 0, content_filter_results: { hate: safe, self_harm: safe, sexual: safe, violence } };
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

function usageOf({ content, promptTokens }: Completion): object {
  const completionTokens = estimateTokens(content ?? '');
  return {
    prompt_tokens: promptTokens,
    completion_tokens: completionTokens,
    total_tokens: promptTokens + completionTokens,
    prompt_tokens_details: { cached_tokens: 0, audio_tokens: 0 },
    completion_tokens_details: { reasoning_tokens: 0, audio_tokens: 0 },
  };
}
