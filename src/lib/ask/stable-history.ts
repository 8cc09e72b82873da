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
