/** `Idempotency-Key`: claims a question for this request, follows the request that answers it, or finds its answer. */
import { createPauses } from '../common/pending-work.ts';
import { errors } from '../contract/errors.ts';
import type { ChatHistory } from '../history/chat-history.ts';
import type { Claim, ClaimRequest, ClaimResult, Claims } from '../history/idempotency.ts';
import { digest } from '../history/session-rows.ts';
import { type Answered, LiveAnswer, type LiveAnswers } from './live-answer.ts';
import type { Question, AskContext } from './question.ts';

/** How long a claim holds unless it is renewed: as long as a repeat waits when the process that answered has died. */
const LEASE_MS = 15_000;
/** Time between renewals. Each one also finds out whether the answer was stopped by another instance. */
const RENEW_MS = 2000;
/** How long an answer without an interaction is remembered beyond the time limit of its question. */
const REMEMBER_MS = 5000;

/** The first pause between two looks at a row that another request has to change, and the longest. */
const PAUSE_MS = 100;
const MAX_PAUSE_MS = 1000;

/** What {@link claimQuestion} needs. */
export interface ClaimParts {
  claims: Claims;
  history: ChatHistory;
  live: LiveAnswers;
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
  held: HeldClaim;
  live: LiveAnswer;
  /** Another request held the claim meanwhile, so a history that was read before may be outdated. */
  waited: boolean;
}

/** A question that another request has answered. */
export interface Replay {
  replayed: Answered;
}

/** Pauses between two looks at a row that another request has to change. */
export const createRowPauses = (signal: AbortSignal): (() => Promise<void>) =>
  createPauses(PAUSE_MS, MAX_PAUSE_MS, signal);

/** Until when an answer without an interaction is remembered, if its question comes now. */
export const rememberUntil = ({ requestTimeoutMs }: ConversationLimits): number =>
  Date.now() + requestTimeoutMs + REMEMBER_MS;

/**
 * Claims `question`, or gives the answer of the request that has claimed it before: the one that is in progress here, piece
 * by piece, or the stored one. Waits while another instance is answering.
 * @throws AskError when the key was used for another question, storage fails, or the answer here fails.
 */
export async function claimQuestion(
  parts: ClaimParts,
  question: KeyedQuestion,
  context: AskContext,
): Promise<Claimed | Replay> {
  const { signal, record } = context;
  const content = contentOf(question);
  const pause = createRowPauses(signal);
  for (let waited = false; ; waited = true) {
    signal.throwIfAborted();
    const live = parts.live.get(question, question.idempotencyKey);
    if (live) return follow(live, digest(...content), question, context);
    const result = await tryToClaim(
      parts.claims,
      {
        session: question,
        idempotencyKey: question.idempotencyKey,
        content,
        arrivedAt: record.arrivedAt,
        leaseUntil: Date.now() + LEASE_MS,
      },
      signal,
    );
    if (result.state === 'claimed') return { ...begin(parts, question, result.claim), waited };
    if (result.state !== 'pending') return replay(parts, question, result, context);
    await pause();
  }
}

/** Everything that must be equal for two questions to be the same. */
const contentOf = (question: Question): ClaimRequest['content'] => {
  const { text, newConversation, replaces, instructions, overrides } = question;
  return [text, newConversation, replaces, instructions, overrides];
};

function tryToClaim(claims: Claims, request: ClaimRequest, signal: AbortSignal): Promise<ClaimResult> {
  return claims.claim(request, signal).catch((error: unknown) => {
    signal.throwIfAborted();
    throw errors.claimUnavailable(error);
  });
}

function begin({ claims, live }: ClaimParts, question: KeyedQuestion, claimed: Claim) {
  const { question: content, startedAt } = claimed.row;
  const answer = new LiveAnswer(question.text, Number(startedAt), content);
  live.add(question, question.idempotencyKey, answer);
  return { held: new HeldClaim(claims, claimed, answer), live: answer };
}

async function follow(
  live: LiveAnswer,
  content: string,
  { textFrom }: Question,
  { record, signal, disconnected, onText, onWait }: AskContext,
): Promise<Replay> {
  if (live.content !== content) throw errors.idempotencyConflict();
  record.replayed = true;
  return { replayed: await live.follow({ from: textFrom, onText, onWait, signal, disconnected }) };
}

/** Gives the outcome that another request has stored. */
async function replay(
  { history, limits }: ClaimParts,
  question: KeyedQuestion,
  result: Exclude<ClaimResult, { state: 'claimed' | 'pending' }>,
  { record, onText }: AskContext,
): Promise<Replay> {
  if (result.state === 'conflict') throw errors.idempotencyConflict();
  const position = result.state === 'answered' ? result.interaction : null;
  const limit = limits.historyMaxInteractions;
  const reading =
    position === null
      ? history.read(question, limit).then(({ interactions }) => interactions)
      : history.readUpTo(question, position, limit);
  const interactions = await reading.catch((error: unknown) => {
    throw errors.claimUnavailable(error);
  });
  if (interactions === null) throw errors.idempotencyForgotten();
  record.replayed = true;
  const last = position === null ? undefined : interactions.at(-1);
  const answer = last?.answer ?? '';
  if (answer.length > question.textFrom) onText?.(answer.slice(question.textFrom));
  return { replayed: { interactions, answer, stopped: !last || last.stopped === true, position } };
}

/** A claim of this request. It is renewed until it is released. */
export class HeldClaim {
  readonly claim: Claim;
  readonly #claims: Claims;
  readonly #live: LiveAnswer;
  readonly #timer: NodeJS.Timeout;
  #renewing: Promise<void> | undefined;

  constructor(claims: Claims, claim: Claim, live: LiveAnswer) {
    this.claim = claim;
    this.#claims = claims;
    this.#live = live;
    this.#timer = setInterval(() => void (this.#renewing ??= this.#renew()), RENEW_MS);
    this.#timer.unref();
  }

  /** Ends the renewals. The lease lasts long enough to store the answer. */
  async settle(): Promise<void> {
    clearInterval(this.#timer);
    await this.#renewing;
  }

  async #renew(): Promise<void> {
    try {
      const status = await this.#claims.renew(this.claim, Date.now() + LEASE_MS);
      if (status === 'lost' || status === 'gone') clearInterval(this.#timer);
      if (status === 'gone') this.#live.forget();
      if (status === 'stopping') this.#live.stop();
    } catch {
      // The next renewal may succeed, and the lease outlasts several.
    } finally {
      this.#renewing = undefined;
    }
  }
}
