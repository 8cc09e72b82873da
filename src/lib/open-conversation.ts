/** The conversation that a question belongs to: found or begun, and where its answer is to be stored. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Question, QuestionContext } from './answer-question.ts';
import type { Conversation } from './chat-history.ts';
import { errors } from './errors.ts';
import type { Claim } from './idempotency.ts';
import type { Interaction } from './interaction-row.ts';
import { timed } from './question-record.ts';
import { FIRST_POSITION, type Position, type SessionKey } from './row-keys.ts';
import type { Services } from './services.ts';

/** Between looks at a question that another request is answering. */
const POLL_MS = 100;
/** How much longer than its deadline a request keeps the right to answer: it may still be storing. */
const LEASE_RESERVE_MS = 5000;

/** A conversation that is ready for an answer. */
export interface OpenConversation {
  interactions: Interaction[];
  /** Where the answer is to be appended: null when that could not be found out, rejected when a reset failed. */
  position: Promise<Position | null>;
  /** Aborted when the reset failed. */
  lost: AbortSignal;
  claim: Claim | undefined;
}

/** A question that was answered before: the conversation up to its answer. */
export interface Replay {
  replayed: Interaction[];
}

/**
 * Opens the conversation of `asked`, or finds that it was answered already.
 * @throws AskError when the question's key was used for another one, or when it cannot be looked up.
 */
export async function openConversation(
  services: Services,
  session: SessionKey,
  asked: Question,
  context: QuestionContext,
): Promise<OpenConversation | Replay> {
  const claiming = claimQuestion(services, session, asked, context);
  // A conversation is begun anew once, by whoever answers the question.
  const opening = asked.newConversation ? undefined : open(services, session, asked, context);
  const [claimed, opened] = await Promise.all([claiming, opening]);
  if ('replayed' in claimed) return claimed;
  const { claim, waited } = claimed;
  const fresh = opened && !waited ? opened : await open(services, session, asked, context);
  return { ...fresh, claim };
}

interface Claimed {
  claim: Claim | undefined;
  /** Another request was answering meanwhile: what was read before may be old. */
  waited: boolean;
}

async function claimQuestion(
  { claims, config, history }: Services,
  session: SessionKey,
  asked: Question,
  { record, signal }: QuestionContext,
): Promise<Claimed | Replay> {
  if (asked.idempotencyKey === undefined) return { claim: undefined, waited: false };
  const leaseUntil =
    Date.now() + config.requestTimeoutMs - (performance.now() - record.startedAt) + LEASE_RESERVE_MS;
  const parts = [asked.question, asked.newConversation];
  for (let waited = false; ; waited = true) {
    signal.throwIfAborted();
    const result = await claims
      .claim(session, asked.idempotencyKey, parts, leaseUntil, signal)
      .catch((error: unknown) => {
        signal.throwIfAborted();
        throw errors.claimUnavailable(error);
      });
    if (result.state === 'mine') return { claim: result.claim, waited };
    if (result.state === 'other') throw errors.idempotencyConflict();
    if (result.state === 'answered') {
      const replayed = await history
        .readUpTo(session, result.interaction, config.historyMaxInteractions)
        .catch((error: unknown) => Promise.reject(errors.claimUnavailable(error)));
      if (replayed === null) throw errors.idempotencyForgotten();
      return { replayed };
    }
    // Its abort is seen above.
    await delay(POLL_MS * (1 + Math.random()), undefined, { signal }).catch(() => {});
  }
}

async function open(
  { config, history }: Services,
  session: SessionKey,
  asked: Question,
  { record, warn }: QuestionContext,
): Promise<Omit<OpenConversation, 'claim'>> {
  const lost = new AbortController();
  const opened = (interactions: Interaction[], position: Promise<Position | null>) => ({
    interactions,
    position,
    lost: lost.signal,
  });
  // Nobody has used a session id that was made just now.
  if (asked.isNewSession) return opened([], Promise.resolve(FIRST_POSITION));

  if (asked.newConversation) {
    const position = history.reset(session).catch((error: unknown) => {
      const notReset = errors.historyNotReset(error);
      lost.abort(notReset);
      throw notReset;
    });
    // It is awaited beside the model call; until then nobody listens.
    position.catch(() => {});
    return opened([], position);
  }

  try {
    const read = (): Promise<Conversation> => history.read(session, config.historyMaxInteractions);
    const conversation = await timed(record, 'history_read', read);
    return opened(conversation.interactions, Promise.resolve(conversation));
  } catch (error) {
    record.historyAvailable = false;
    warn(`Chat history could not be read: ${String(error)}`);
    // Tried once more while the model works, for the place where the answer is to be appended.
    return opened(
      [],
      history.read(session, 1).catch(() => null),
    );
  }
}
