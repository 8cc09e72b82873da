/** Reads the body of a chat request. */
import type { Message } from './answers.ts';

/** The API that a request was made by. */
export type Api = 'chat' | 'responses';

/** The parts of a chat request that decide its reply. */
export interface Prompt {
  api: Api;
  messages: Message[];
  /** The request's JSON. */
  body: Record<string, unknown>;
  stream: boolean;
}

interface RawMessage {
  role?: unknown;
  content?: unknown;
}

/**
 * Reads a request's body: chat completions have `messages`, the Responses API `input`. What is not in order there is left
 * out. Null when the body is not a JSON object.
 */
export function readPrompt(text: string, api: Api): Prompt | null {
  const body = parse(text);
  if (typeof body !== 'object' || body === null) return null;
  const raw = body[api === 'chat' ? 'messages' : 'input'];
  const list: unknown[] = typeof raw === 'string' ? [{ role: 'user', content: raw }] : asList(raw);
  const { instructions } = body;
  const first = typeof instructions === 'string' ? [{ role: 'system', content: instructions }] : [];
  return { api, messages: [...first, ...list.flatMap(toMessage)], body, stream: body['stream'] === true };
}

function parse(text: string): Record<string, unknown> | null {
  try {
    return JSON.parse(text) as Record<string, unknown> | null;
  } catch {
    return null;
  }
}

const asList = (value: unknown): unknown[] => (Array.isArray(value) ? value : []);

function toMessage(raw: unknown): Message[] {
  const { role = 'user', content } = (raw ?? {}) as RawMessage;
  if (typeof role !== 'string') return [];
  const parts = asList(content).map((part) => (part as { text?: string } | null)?.text ?? '');
  const text = typeof content === 'string' ? content : parts.join('');
  return [{ role: role === 'developer' ? 'system' : role, content: text }];
}
