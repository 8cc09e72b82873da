/** Stores an interaction at its place in the conversation, in one transaction with the end of its claim. */
import { errors } from '../contract/errors.ts';
import { answerRowKey } from '../history/answer-rows.ts';
import { type ChatHistory, UnknownOutcomeError } from '../history/chat-history.ts';
import type { Claims, ClaimStatus } from '../history/idempotency.ts';
import { RowConflictError } from '../history/row-store.ts';
import type { Interaction, Position } from '../history/session-rows.ts';
import type { HeldClaim } from './claim-question.ts';
import type { Listing, ListingParts } from './list-session.ts';
import type { LiveAnswer } from './live-answer.ts';
import { nextTurnOf } from './prompt.ts';
import type { AskContext, Question } from './question.ts';

/** What {@link saveInteraction} needs. */
export interface SaveParts extends ListingParts {
  history: ChatHistory;
  claims: Claims;
}

/** Where an interaction belongs. */
export interface Place {
  /** The conversation before it, oldest first. */
  interactions: Interaction[];
  /** The position to append the answer after. Null when it could not be read; rejects when the reset failed. */
  position: Promise<Position | null>;
  /** Undefined without an idempotency key. */
  held: HeldClaim | undefined;
  live: LiveAnswer | undefined;
  listing: Listing;
}

/** What became of an interaction. */
export interface Saved {
  outcome: 'stored' | 'not stored' | 'unknown';
  /** The key of its row; null unless it is known that it was stored. */
  position: string | null;
  stopped: boolean;
}

/** Attempts to store an interaction while its claim is changed, as by a stop. */
const MAX_ATTEMPTS = 3;

/**
 * Stores an interaction, as stopped if its answer was stopped.
 * @throws AskError when the reset failed, or the interaction to replace is gone.
 */
export async function saveInteraction(
  parts: SaveParts,
  { question, context: { record, warn } }: { question: Question; context: AskContext },
  { interactions, position, held, live, listing }: Place,
  interaction: Interaction,
): Promise<Saved> {
  await held?.settle();
  const after = await position;
  const isListed = await listing.ready;
  live?.seal();
  let stopped = live?.isStopped ?? false;
  if (after === null || !isListed || live?.isForgotten)
    return { outcome: 'not stored', position: null, stopped };
  const { replaces } = question;
  // Without the history, the number of its interactions is not known.
  const turn = record.historyAvailable ? nextTurnOf(interactions) : undefined;
  for (let attempt = 1; ; attempt++) {
    const stored = { ...interaction, ...(stopped && { stopped }), turn };
    const state = stopped ? 'stopped' : 'answered';
    const alongside = held && ((key: string) => parts.claims.fulfil(held.claim, state, key));
    const options = { askedAt: record.arrivedAt, id: question.interactionId, replaces, alongside };
    try {
      const key = await parts.history.append(question, after, stored, options);
      listing.note(after, held ? [key, answerRowKey(held.claim.row.key)] : [key]);
      return { outcome: 'stored', position: key, stopped };
    } catch (error) {
      const isConflict = error instanceof RowConflictError && attempt < MAX_ATTEMPTS;
      const status = isConflict ? await statusAfterConflict(parts, question, held) : 'lost';
      if (status === 'stopping') stopped = true;
      if (status === 'held' || status === 'stopping') continue;
      warn(`The interaction could not be stored: ${String(error)}`);
      const outcome = error instanceof UnknownOutcomeError ? 'unknown' : 'not stored';
      return { outcome, position: null, stopped };
    }
  }
}

/**
 * Reads the claim again; without one, or when that fails, it counts as lost.
 * @throws AskError when the interaction to replace is gone.
 */
async function statusAfterConflict(
  parts: SaveParts,
  question: Question,
  held: HeldClaim | undefined,
): Promise<ClaimStatus> {
  const { replaces } = question;
  if (replaces !== undefined && (await isGone(parts, question, replaces))) throw errors.interactionGone();
  return held ? parts.claims.refresh(held.claim).catch(() => 'lost' as const) : 'lost';
}

/** True when an interaction is known to be gone. */
const isGone = ({ history }: SaveParts, question: Question, position: string): Promise<boolean> =>
  history.readUpTo(question, position, 1).then(
    (found) => found === null,
    () => false,
  );
