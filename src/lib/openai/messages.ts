/** Messages of a caller as a prompt. */
import type { MessageFields } from '../contract/openai-fields.ts';
import { errors } from '../contract/errors.ts';
import type { Message } from '../model/completion.ts';
import { refuseOthers } from './model-overrides.ts';

/** `developer` is the newer name of `system`. The model gets the one that it knows. */
const ROLES: Record<string, Message[0]> = {
  system: 'system',
  developer: 'system',
  user: 'human',
  assistant: 'ai',
};

/** What clients send back of an answer. */
const FIELDS = new Set(['role', 'content', 'annotations', 'tool_calls', 'type', 'id', 'status']);

/** The types of parts that are text, in both APIs. */
const TEXT_PARTS = new Set(['text', 'input_text', 'output_text']);

/** Converts messages. @throws AskError that names what is not supported, as a field of `list`. */
export const toPrompt = (messages: readonly MessageFields[], list: string): Message[] =>
  messages.map((message, index) => toMessage(message, `${list}[${index}]`));

function toMessage(message: MessageFields, place: string): Message {
  const { role, content, tool_calls: calls, type } = message;
  if (type != null && type !== 'message') throw errors.unsupportedParameter(`${place}.type`);
  if (role == null) throw errors.invalidField(`${place}.role`, 'is missing');
  const own = Object.hasOwn(ROLES, role) ? ROLES[role] : undefined;
  if (own === undefined) throw errors.unsupportedParameter(`${place}.role`);
  refuseOthers(message, FIELDS, `${place}.`);
  if (Array.isArray(calls) && calls.length > 0) throw errors.unsupportedParameter(`${place}.tool_calls`);
  return [own, textOf(content, `${place}.content`)];
}

function textOf(content: MessageFields['content'], place: string): string {
  if (content == null) return '';
  if (typeof content === 'string') return content;
  const texts = content.map(({ type, text, refusal }, index) => {
    if (type === 'refusal' && refusal !== undefined) return refusal;
    if (!TEXT_PARTS.has(type) || text === undefined)
      throw errors.unsupportedParameter(`${place}[${index}].type`);
    return text;
  });
  return texts.join('');
}

/** The last message as a question, and the instructions among the messages before it. */
export interface AskedMessage {
  text: string;
  instructions: string | undefined;
}

/** Gives the question of a prompt. @throws AskError that names `list` when the last message is none. */
export function lastQuestion(prompt: readonly Message[], list: string, maxChars: number): AskedMessage {
  const [role, text] = prompt.at(-1) ?? ['', ''];
  if (role !== 'human' || text.trim() === '')
    throw errors.invalidField(list, 'must end with a message of the user that is not blank');
  if (text.length > maxChars) throw errors.questionTooLong(maxChars, list);
  const instructions = prompt.filter(([each]) => each === 'system').map(([, said]) => said);
  return { text, instructions: instructions.join('\n\n') || undefined };
}
