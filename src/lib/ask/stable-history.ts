/**
 * Keeps the beginning of a conversation's prompts the same from one question to the next, for the prompt cache of the
 * provider: docs/decisions/2026-11-30-stable-beginning-of-the-prompt.md.
 */
import type { Interaction } from '../history/session-rows.ts';

/** The number of the interaction after `interactions`; undefined when theirs are not known. */
export function nextTurn(interactions: readonly Interaction[]): number | undefined {
  if (interactions.length === 0) return 1;
  const index = interactions.findLastIndex(({ turn }) => turn !== undefined);
  const known = interactions[index]?.turn;
  return known === undefined ? undefined : known + interactions.length - index;
}

/**
 * Gives the part of `fitting` to send, oldest first. A window that moved on by one interaction with each question would
 * change the beginning of each prompt. So a full window moves by half of its size at once, and then grows again.
 * `read` are the interactions that were read, at most `max`; `fitting` are the newest of them that fit the limit of tokens.
 */
export function alignHistory(
  read: readonly Interaction[],
  fitting: Interaction[],
  max: number,
): Interaction[] {
  const isWhole = read.length < max && fitting.length === read.length;
  if (isWhole || fitting[0]?.turn === undefined) return fitting;
  const step = Math.max(1, Math.floor(max / 2));
  const start = fitting.findIndex(({ turn = 0 }) => (turn - 1) % step === 0);
  // Fewer interactions fit than the window would move by.
  return start < 0 ? fitting : fitting.slice(start);
}
