/** `Idempotency-Key`: the right to answer a question, or the answer that it got before. */
import { setTimeout as delay } from 'node:timers/promises';
import { errors } from '../contract/errors.ts';
import type { ChatHistory } from '../history/chat-history.ts';
import type { Claim, Claims } from '../history/idempotency.ts';
import type { Interaction } from '../history/interaction.ts';
import type { Question, QuestionContext } from './question.ts';

/** Between looks at a question that another request is answering. */
const POLL_MS = 100;
/** How much longer than its deadline a request keeps the right to answer: it may still be storing. */
const LEASE_RESERVE_MS = 5000;

/** What claiming a question needs. */
export interface ClaimParts {
  claims: Claims;
  history: ChatHistory;
  limits: ConversationLimits;
}

/** Bounds of what is read of a conversation, and for how long a question may take. */
export interface ConversationLimits {
  historyMaxInteractions: number;
  requestTimeoutMs: number;
}

/** A claimed question; `waited` when another request was answering meanwhile, so that what was read before is old. */
export interface Claimed {
  claim: Claim | undefined;
  waited: boolean;
}

/** A question that was answered before: the conversation up to its answer. */
export interface Replay {
  replayed: Interaction[];
}

/**
 * Claims `question`, or gives the answer that it got before. Waits as long as another request is answering it.
 * @throws AskError when the key was used for another question, or cannot be looked up.
 */
export async function claimQuestion(
  { claims, history, limits }: ClaimParts,
  question: Question,
  { record, signal }: QuestionContext,
): Promise<Claimed | Replay> {
  if (question.idempotencyKey === undefined) return { claim: undefined, waited: false };
  const elapsedMs = performance.now() - record.startedAt;
  const request = {
    session: question,
    idempotencyKey: question.idempotencyKey,
    // All that makes it the same question.
    content: [question.text, question.newConversation],
    leaseUntil: Date.now() + limits.requestTimeoutMs - elapsedMs + LEASE_RESERVE_MS,
  };
  for (let waited = false; ; waited = true) {
    signal.throwIfAborted();
    const result = await claims.claim(request, signal).catch((error: unknown) => {
      signal.throwIfAborted();
      throw errors.claimUnavailable(error);
    });
    if (result.state === 'mine') return { claim: result.claim, waited };
    if (result.state === 'other') throw errors.idempotencyConflict();
    if (result.state === 'answered') {
      const replayed = await history
        .readUpTo(question, result.interaction, limits.historyMaxInteractions)
        .catch((error: unknown) => {
          throw errors.claimUnavailable(error);
        });
      if (replayed === null) throw errors.idempotencyForgotten();
      return { replayed };
    }
    // The loop sees an abort.
    await delay(POLL_MS * (1 + Math.random()), undefined, { signal }).catch(() => {});
  }
}
