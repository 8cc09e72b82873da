/** How much of the chat history fits into what the model can read at once. */
import { hash } from 'node:crypto';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { LRUCache } from 'lru-cache';
import type { Interaction } from '../history/interaction.ts';
import type { Message } from '../model/completion.ts';

/** Counted piece by piece, so that others have a turn in between. */
const PIECE_CHARS = 500;
/**
 * The tokenizer looks at words, at marks and at blanks in a row one by one, in a time that grows with the square of
 * their length. Where one is longer than any in ordinary text, the piece is counted in smaller ones.
 */
const LONG_RUN = /[\p{L}\p{M}]{100}|[^\s\p{L}\p{N}]{100}|\s{100}/u;
const SMALL_PIECE_CHARS = 64;

/** Tokens of texts that were counted before, by a digest of each: every question of a session meets them again. */
const counted = new LRUCache<string, Promise<number>>({ max: 10_000 });

/**
 * Gives the newest of `interactions` (oldest first) that together have at most `maxTokens` tokens, by the encoding of
 * GPT-4o. The tokenizer is loaded only when they might have more.
 */
export async function fitHistory(interactions: Interaction[], maxTokens: number): Promise<Interaction[]> {
  const sizes = interactions.map(
    ({ question, answer }) => Buffer.byteLength(question) + Buffer.byteLength(answer),
  );
  let bytes = sizes.reduce((sum, size) => sum + size, 0);
  if (maxTokens === 0 && bytes > 0) return [];
  let left = maxTokens;
  for (let index = interactions.length - 1; index >= 0; index--) {
    // A token is at least one byte: the rest fits, without being counted.
    if (bytes <= left) break;
    const { question, answer } = interactions[index] as Interaction;
    left -= await tokensOf(question);
    if (left >= 0) left -= await tokensOf(answer);
    if (left < 0) return interactions.slice(index + 1);
    bytes -= sizes[index] ?? 0;
  }
  return interactions;
}

/** The same prompt without the older half of its chat history; null when it has none. */
export function dropOlderHalf(prompt: Message[]): Message[] | null {
  const [system, ...rest] = prompt;
  const interactions = (rest.length - 1) / 2;
  if (!system || interactions < 1) return null;
  return [system, ...rest.slice(2 * Math.ceil(interactions / 2))];
}

/** The number of tokens of a text: counted once, also for those who ask at the same time. */
function tokensOf(text: string): Promise<number> {
  // Not the text itself: pieces of what users wrote are not to be kept.
  const key = hash('sha256', text, 'base64');
  const known = counted.get(key);
  if (known) return known;
  const counting = countTokens(text);
  counted.set(key, counting);
  counting.catch(() => counted.delete(key));
  return counting;
}

/** Counts. What looks like a special token is text like any other. */
async function countTokens(text: string): Promise<number> {
  const tokenizer = await import('gpt-tokenizer/encoding/o200k_base');
  // It would remember pieces of what users wrote.
  tokenizer.setMergeCacheSize(0);
  const options = { disallowedSpecial: new Set<string>() };
  let count = 0;
  for (const piece of split(text, PIECE_CHARS)) {
    const parts = LONG_RUN.test(piece) ? split(piece, SMALL_PIECE_CHARS) : [piece];
    for (const part of parts) count += tokenizer.countTokens(part, options);
    // A piece may take some milliseconds.
    await nextTurn();
  }
  return count;
}

function* split(text: string, chars: number): Generator<string, void, void> {
  for (let at = 0; at < text.length; at += chars) yield text.slice(at, at + chars);
}
