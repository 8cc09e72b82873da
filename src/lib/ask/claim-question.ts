/** `Idempotency-Key`: claims a question for this request, or finds the answer that an earlier request stored. */
import { setTimeout as delay } from 'node:timers/promises';
import { errors } from '../contract/errors.ts';
import type { ChatHistory } from '../history/chat-history.ts';
import type { Claim, Claims } from '../history/idempotency.ts';
import type { Interaction } from '../history/session-rows.ts';
import type { Question, AskContext } from './question.ts';

/** Pause between checks whether the other request has answered the question. */
const POLL_MS = 100;
/** How long a claim outlasts the deadline of its request, which may still be storing the answer. */
const LEASE_RESERVE_MS = 5000;

/** What {@link claimQuestion} needs. */
export interface ClaimParts {
  claims: Claims;
  history: ChatHistory;
  limits: ConversationLimits;
}

/** How many interactions are read, and how long a question may take. */
export interface ConversationLimits {
  historyMaxInteractions: number;
  requestTimeoutMs: number;
}

/** A question whose request has an idempotency key. */
export type KeyedQuestion = Question & { idempotencyKey: string };

/** A question that this request has to answer. */
export interface Claimed {
  claim: Claim;
  /** Another request held the claim meanwhile, so a history that was read before may be outdated. */
  waited: boolean;
}

/** A question that was answered before. */
export interface Replay {
  /** The conversation up to the stored answer, oldest first. */
  replayed: Interaction[];
}

/**
 * Claims `question`, or gives its stored answer. Waits while another request is answering it.
 * @throws AskError when the key was used for another question, or storage fails.
 */
export async function claimQuestion(
  { claims, history, limits }: ClaimParts,
  question: KeyedQuestion,
  { record, signal }: AskContext,
): Promise<Claimed | Replay> {
  const elapsedMs = performance.now() - record.startedAt;
  const request = {
    session: question,
    idempotencyKey: question.idempotencyKey,
    content: [question.text, question.newConversation],
    leaseUntil: Date.now() + limits.requestTimeoutMs - elapsedMs + LEASE_RESERVE_MS,
  };
  for (let waited = false; ; waited = true) {
    signal.throwIfAborted();
    const result = await claims.claim(request, signal).catch((error: unknown) => {
      signal.throwIfAborted();
      throw errors.claimUnavailable(error);
    });
    if (result.state === 'claimed') return { claim: result.claim, waited };
    if (result.state === 'conflict') throw errors.idempotencyConflict();
    if (result.state === 'answered') {
      const replayed = await history
        .readUpTo(question, result.interaction, limits.historyMaxInteractions)
        .catch((error: unknown) => {
          throw errors.claimUnavailable(error);
        });
      if (replayed === null) throw errors.idempotencyForgotten();
      return { replayed };
    }
    // An abort ends the pause, and then the loop.
    await delay(POLL_MS * (1 + Math.random()), undefined, { signal }).catch(() => {});
  }
}
