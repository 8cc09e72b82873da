/** How much of the chat history fits into what the model can read at once. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Interaction } from './interaction-row.ts';
import type { Message } from './prompt.ts';

/** Counted piece by piece: the time for one without blanks grows with the square of its length. */
const PIECE_CHARS = 500;

/**
 * Gives the newest of `interactions` (oldest first) that together have at most `maxTokens` tokens, by the encoding of
 * GPT-4o. The tokenizer is loaded only when they might have more.
 */
export async function fitHistory(interactions: Interaction[], maxTokens: number): Promise<Interaction[]> {
  // A token is at least one byte.
  const bytes = interactions.reduce(
    (sum, { question, answer }) => sum + Buffer.byteLength(question) + Buffer.byteLength(answer),
    0,
  );
  if (bytes <= maxTokens) return interactions;
  if (maxTokens === 0) return [];
  const fitting: Interaction[] = [];
  let left = maxTokens;
  for (const interaction of interactions.toReversed()) {
    left -= await countTokens(interaction.question, left);
    if (left >= 0) left -= await countTokens(interaction.answer, left);
    if (left < 0) break;
    fitting.unshift(interaction);
  }
  return fitting;
}

/** The same prompt without the older half of its chat history; null when it has none. */
export function dropOlderHalf(prompt: Message[]): Message[] | null {
  const [system, ...rest] = prompt;
  const interactions = (rest.length - 1) / 2;
  if (!system || interactions < 1) return null;
  return [system, ...rest.slice(2 * Math.ceil(interactions / 2))];
}

/** Counts, and stops when it is more than `limit`. What looks like a special token is text like any other. */
async function countTokens(text: string, limit: number): Promise<number> {
  const tokenizer = await import('gpt-tokenizer/encoding/o200k_base');
  // It would remember pieces of what users wrote.
  tokenizer.setMergeCacheSize(0);
  const options = { disallowedSpecial: new Set<string>() };
  let count = 0;
  for (let piece = 0; piece * PIECE_CHARS < text.length && count <= limit; piece++) {
    count += tokenizer.countTokens(text.slice(piece * PIECE_CHARS, (piece + 1) * PIECE_CHARS), options);
    // A piece may take some milliseconds.
    await nextTurn();
  }
  return count;
}
