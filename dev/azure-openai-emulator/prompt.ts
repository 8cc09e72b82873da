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
  role?: string;
  content?: string | { text?: string }[] | null;
}

/** Reads a request's body: chat completions have `messages`, the Responses API `input`. Null when it has neither. */
export function readPrompt(text: string, api: Api): Prompt | null {
  try {
    const body = JSON.parse(text) as Record<string, unknown>;
    const raw = body[api === 'chat' ? 'messages' : 'input'] as string | RawMessage[];
    const messages = typeof raw === 'string' ? [{ role: 'user', content: raw }] : raw.map(toMessage);
    return messages.length > 0 ? { api, messages, body, stream: body['stream'] === true } : null;
  } catch {
    return null;
  }
}

function toMessage({ role = 'user', content }: RawMessage): Message {
  const parts = typeof content === 'string' ? [content] : (content ?? []).map((part) => part.text ?? '');
  return { role: role === 'developer' ? 'system' : role, content: parts.join('') };
}
