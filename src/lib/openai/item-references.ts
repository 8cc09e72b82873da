/**
 * References to answers in the messages of a caller, as the AI SDK sends them in place of their texts. They are taken when
 * the messages are the conversation of the last one: the response then goes on in it.
 */
import { errors } from '../contract/errors.ts';
import type { ResponseFields } from '../contract/openai-fields.ts';
import type { SessionPage, Sessions } from '../history/sessions.ts';
import { toPrompt } from './messages.ts';
import { readResponseId } from './response-id.ts';

type Item = Exclude<ResponseFields['input'], string>[number];

/** Who asks, and where the sessions are. */
export interface Owner {
  userId: string | null;
  sessions: Sessions;
}

const isReference = ({ type }: Item): boolean => type === 'item_reference';

/**
 * Gives a request whose input has references as one that names the response before its question. Gives others as they are.
 * @throws AskError when the messages are not the conversation of the referenced answers.
 */
export async function withoutReferences(fields: ResponseFields, owner: Owner): Promise<ResponseFields> {
  const { input, previous_response_id: previous } = fields;
  if (typeof input === 'string' || !input.some(isReference)) return fields;
  const messages = input.filter(({ role }) => role !== 'system' && role !== 'developer');
  const [question, last] = [messages.at(-1), messages.at(-2)];
  const place = `input[${input.findIndex(isReference)}]`;
  if (!question || !last || !isReference(last) || isReference(question) || previous != null)
    throw errors.referenceNotFound(place);
  const id = String(last['id']).replace(/^msg_/, 'resp_');
  const said = messages.slice(0, -2);
  if (!isSame(said, await questionsBefore(id, owner))) throw errors.referenceNotFound(place);
  const kept = input.filter((item) => !messages.includes(item));
  return { ...fields, previous_response_id: id, input: [...kept, question] };
}

/** The questions of the conversation up to a response, oldest first, as far as one page has them. */
async function questionsBefore(id: string, { userId, sessions }: Owner): Promise<Questions> {
  const { sessionId, interactionId } = readResponseId(id);
  const page: SessionPage | null = await sessions.read({ userId, sessionId }).catch((error: unknown) => {
    throw errors.storageUnavailable(error);
  });
  const interactions = page?.interactions ?? [];
  const at = interactions.findIndex(({ position }) => position.endsWith(`-${interactionId}`));
  if (!page || at < 0) throw errors.previousResponseNotFound();
  const older = page.count - interactions.length;
  return { texts: interactions.slice(0, at + 1).map(({ question }) => question), older };
}

interface Questions {
  texts: string[];
  /** How many more are before them. */
  older: number;
}

/** Whether messages have these questions, with an answer or a reference after each but the last. */
function isSame(said: Item[], { texts, older }: Questions): boolean {
  const pairs = Math.ceil(said.length / 2);
  if (said.length % 2 === 0 || pairs !== texts.length + older) return false;
  const asked = said.filter((_, index) => index % 2 === 0).slice(older);
  return asked.every((item, index) => {
    if (isReference(item)) return false;
    const [[role, text] = []] = toPrompt([item], 'input');
    return role === 'human' && text === texts[index];
  });
}
