/** Interactions, and how they are stored as the properties of a row: compressed when long, shortened when too long. */
import type { ChatMessage } from '../contract/responses.ts';
import { promisify } from 'node:util';
import { deflateRaw, inflateRaw } from 'node:zlib';
import type { Properties } from './row-store.ts';

/** A question and the answer to it. */
export interface Interaction {
  question: string;
  answer: string;
  /** The question or the answer was cut off at its end, because both together were too long for a row. */
  shortened?: true;
  /** Its number in the conversation, from 1; absent when it was not known. Concurrent interactions share a number. */
  turn?: number | undefined;
}

/** A binary property holds at most 64 KiB, a text property 32 Ki UTF-16 units. */
const BINARY_CHUNK_BYTES = 64_000;
/** An entity holds at most 1 MiB, its keys and property names included. Azurite accepts more. */
const MAX_BYTES = 15 * BINARY_CHUNK_BYTES;
/** Longer interactions are compressed. Uncompressed text up to this length always fits into one property. */
const COMPRESS_ABOVE_CHARS = 4096;
const SHORTENED = '\n\n[The rest was too long to be kept.]';

const deflate = promisify(deflateRaw);
const inflate = promisify(inflateRaw);

/** Gives the properties of a row for an interaction, which is shortened if necessary. */
export async function toProperties(interaction: Interaction): Promise<Properties> {
  const { question, answer, shortened, turn } = interaction;
  const flag = { ...(shortened && { shortened }), ...(turn !== undefined && { n: String(turn) }) };
  if (question.length + answer.length <= COMPRESS_ABOVE_CHARS) return { h0: question, a0: answer, ...flag };
  const packed = await deflate(JSON.stringify([question, answer]), { level: 1 });
  if (packed.length > MAX_BYTES) {
    return toProperties({ ...shorten(question, answer, MAX_BYTES / packed.length), turn });
  }
  const properties: Properties = { ...flag };
  for (let part = 0; part * BINARY_CHUNK_BYTES < packed.length; part++) {
    const start = part * BINARY_CHUNK_BYTES;
    properties[`z${part}`] = new Uint8Array(packed.subarray(start, start + BINARY_CHUNK_BYTES));
  }
  return properties;
}

/** Reads an interaction from the properties of a row; null when the row has none. */
export async function toInteraction(properties: Properties): Promise<Interaction | null> {
  const flag = {
    ...(properties['shortened'] === true && { shortened: true as const }),
    ...(typeof properties['n'] === 'string' && { turn: Number(properties['n']) }),
  };
  if ('h0' in properties) {
    return { question: String(properties['h0']), answer: String(properties['a0']), ...flag };
  }
  const parts: Uint8Array[] = [];
  for (let part = 0; `z${part}` in properties; part++) parts.push(properties[`z${part}`] as Uint8Array);
  if (parts.length === 0) return null;
  const [question, answer] = JSON.parse((await inflate(Buffer.concat(parts))).toString()) as [string, string];
  return { question, answer, ...flag };
}

/** Cuts off the end of the longer text, so that about `share` (0 to 1) of both texts remains. */
function shorten(question: string, answer: string, share: number): Interaction {
  const surplus = Math.ceil((question.length + answer.length) * (1 - share)) + SHORTENED.length;
  const cut = (text: string): string => {
    const kept = text.endsWith(SHORTENED) ? text.slice(0, -SHORTENED.length) : text;
    // Never leave half of a surrogate pair.
    return kept.slice(0, Math.max(0, kept.length - surplus)).replace(/[\ud800-\udbff]$/, '') + SHORTENED;
  };
  return answer.length >= question.length
    ? { question, answer: cut(answer), shortened: true }
    : { question: cut(question), answer, shortened: true };
}

/** Gives an interaction as the two messages of the API's `chat_history`. */
export const toMessages = ({ question, answer, shortened }: Interaction): ChatMessage[] => [
  { role: 'human', content: question, ...(shortened && { shortened }) },
  { role: 'ai', content: answer, ...(shortened && { shortened }) },
];
