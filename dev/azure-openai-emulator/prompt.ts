/** Reads the body of a chat request. */
import type { Message } from './answers.ts';

/** The parts of a chat request that decide its reply. */
export interface Prompt {
  messages: Message[];
  /** The request's JSON. */
  body: Record<string, unknown>;
  stream: boolean;
}

interface RawMessage {
  role: string;
  content?: string | { text?: string }[] | null;
}

/** Reads a chat request's body. Returns null when it is not JSON or has no messages. */
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
