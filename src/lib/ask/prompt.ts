/**
 * The prompt for the model: the system prompt, the chat history that fits, and the question. Its beginning stays the same
 * from one question to the next, for the prompt cache of the provider (docs/decisions/prompt.md). Rejected: windows of 6 to
 * 10 interactions, which forget what the limit promises; reading more rows to count interactions; explicit cache
 * breakpoints, which older models refuse.
 */
import { hash } from 'node:crypto';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { LRUCache } from 'lru-cache';
import { digest, type Interaction, type SessionKey } from '../history/session-rows.ts';
import type { Message } from '../model/completion.ts';

/** Builds the messages for `question` after `interactions` (oldest first). */
export function buildPrompt(
  systemPrompt: string,
  interactions: readonly Interaction[],
  question: string,
): Message[] {
  const history = interactions.flatMap((past): Message[] => [
    ['human', past.question],
    ['ai', past.answer],
  ]);
  return [['system', systemPrompt], ...history, ['human', question]];
}

/** Texts are tokenized in pieces of this length, because the tokenizer blocks the event loop. */
const PIECE_CHARS = 500;
/**
 * The tokenizer takes quadratic time for a run of letters, of punctuation or of white space. A piece with a longer run
 * than ordinary text has is split into smaller pieces.
 */
const LONG_RUN = /[\p{L}\p{M}]{100}|[^\s\p{L}\p{N}]{100}|\s{100}/u;
const SMALL_PIECE_CHARS = 64;

/** Token counts by digest of the text: each question of a session needs the counts of the same history again. */
const countCache = new LRUCache<string, Promise<number>>({ max: 10_000 });

/** Models with the encoding o200k_base: github.com/openai/tiktoken, tiktoken/model.py. */
const O200K = /^(?:openai\/)?(?:chatgpt-|gpt-(?:4o|4\.1|4\.5|[5-9]|oss)|o\d)/;
/** For a model whose encoding is not known. In ordinary text a token has more bytes on average. */
const BYTES_PER_TOKEN = 2;

/**
 * Drops the oldest of `interactions` (oldest first) until the rest has at most `maxTokens` tokens of the model with this
 * name. Tokens are counted only when the interactions might exceed the limit: with the encoding o200k_base, also while
 * the model is not known, and with an estimate, rather too high than too low, for a model whose encoding is not known.
 */
export async function fitHistory(
  interactions: Interaction[],
  maxTokens: number,
  model: string | undefined,
): Promise<Interaction[]> {
  const countOf = model === undefined || O200K.test(model) ? tokensOf : estimate;
  const sizes = interactions.map(
    ({ question, answer }) => Buffer.byteLength(question) + Buffer.byteLength(answer),
  );
  let bytes = sizes.reduce((sum, size) => sum + size, 0);
  let remaining = maxTokens;
  for (let index = interactions.length - 1; index >= 0; index--) {
    // A token has at least one byte, so the older interactions fit without counting.
    if (bytes <= remaining) break;
    // And a text that is not empty has at least one token.
    if (remaining === 0 && sizes[index] !== 0) return interactions.slice(index + 1);
    const { question, answer } = interactions[index] as Interaction;
    remaining -= await countOf(question);
    if (remaining >= 0) remaining -= await countOf(answer);
    if (remaining < 0) return interactions.slice(index + 1);
    bytes -= sizes[index] ?? 0;
  }
  return interactions;
}

/** Gives the prompt without the older half of its chat history; null when the prompt has no history. */
export function dropOlderHalf(prompt: Message[]): Message[] | null {
  const [system, ...rest] = prompt;
  const interactions = (rest.length - 1) / 2;
  if (!system || interactions < 1) return null;
  return [system, ...rest.slice(2 * Math.ceil(interactions / 2))];
}

const estimate = async (text: string): Promise<number> =>
  Math.ceil(Buffer.byteLength(text) / BYTES_PER_TOKEN);

/**
 * The number of tokens of a text. Concurrent requests for the same text share one count.
 *
 * Rejected: an estimate from the bytes and the token counts of earlier answers. With the answers of this process it was
 * within 13 % for sessions in the same language, and up to 72 % off for others; with those of the session, up to 79 % off
 * when its language changed. And instances with other estimates would send other prompts, so that they could not share
 * cached answers and model calls.
 */
function tokensOf(text: string): Promise<number> {
  // A digest, so that the process does not keep what users wrote.
  const key = hash('sha256', text, 'base64');
  const known = countCache.get(key);
  if (known) return known;
  const counting = countTokens(text);
  countCache.set(key, counting);
  counting.catch(() => countCache.delete(key));
  return counting;
}

async function countTokens(text: string): Promise<number> {
  const tokenizer = await import('gpt-tokenizer/encoding/o200k_base');
  // The merge cache would keep what users wrote.
  tokenizer.setMergeCacheSize(0);
  // Text that looks like a special token counts as plain text.
  const options = { disallowedSpecial: new Set<string>() };
  let count = 0;
  for (const piece of split(text, PIECE_CHARS)) {
    const parts = LONG_RUN.test(piece) ? split(piece, SMALL_PIECE_CHARS) : [piece];
    for (const part of parts) count += tokenizer.countTokens(part, options);
    // A piece may take several milliseconds.
    await nextTurn();
  }
  return count;
}

function* split(text: string, chars: number): Generator<string, void, void> {
  for (let at = 0; at < text.length; at += chars) yield text.slice(at, at + chars);
}

/**
 * Gives the `prompt_cache_key` of a session, in 43 characters: the provider sends prompts with the same key and beginning
 * to the same machine, which has that beginning in its cache. A digest, so that the provider learns neither session nor
 * user: developers.openai.com/api/docs/guides/prompt-caching.
 */
export const promptCacheKeyOf = ({ userId, sessionId }: SessionKey): string =>
  digest('prompt_cache_key', userId, sessionId);

/** The number of the interaction after `interactions`; undefined when theirs are not known. */
export function nextTurnOf(interactions: readonly Interaction[]): number | undefined {
  if (interactions.length === 0) return 1;
  const index = interactions.findLastIndex(({ turn }) => turn !== undefined);
  const known = interactions[index]?.turn;
  return known === undefined ? undefined : known + interactions.length - index;
}

/** By how many interactions the window of a long conversation moves at once. */
const stepOf = (max: number): number => Math.max(1, Math.floor(max / 2));

/** The most interactions that a prompt has, if `max` are the fewest of a long conversation. */
export const windowOf = (max: number): number => max + stepOf(max) - 1;

/**
 * Gives the part of `fitting` to send, oldest first. A window that moved on by one interaction with each question would
 * change the beginning of each prompt, so it grows up to {@link windowOf} and then moves at once. `read` are the
 * interactions that were read; `fitting` are the newest of them that fit the limit of tokens: only this limit, and no
 * step, leaves fewer than `max`.
 */
export function alignHistory(
  read: readonly Interaction[],
  fitting: Interaction[],
  max: number,
): Interaction[] {
  const step = stepOf(max);
  const isCut = fitting.length < read.length;
  const fewest = isCut ? 1 : max;
  const start = fitting.findIndex(
    ({ turn }, index) =>
      turn !== undefined && (turn - 1) % step === 0 && (index === 0 || fitting.length - index >= fewest),
  );
  if (start >= 0) return fitting.slice(start);
  // Numbers are not known, or fewer interactions fit than the window would move by.
  return isCut ? fitting : fitting.slice(-max);
}
