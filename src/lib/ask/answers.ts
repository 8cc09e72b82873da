/** Answers at their addresses: the state of an answer, its text from any point on, and its stop, on every instance. */
import { type AskError, errors } from '../contract/errors.ts';
import type { ChatHistory } from '../history/chat-history.ts';
import type { AnswerState, StoredAnswer } from '../history/answer-rows.ts';
import type { Claims } from '../history/idempotency.ts';
import type { SessionKey } from '../history/session-rows.ts';
import type { AnswerReader } from '../model/completion.ts';
import { type AnswerEvent, answerEvents } from './answer-events.ts';
import { type ConversationLimits, createRowPauses, rememberUntil } from './claim-question.ts';
import type { Answered, Follower, LiveAnswer, LiveAnswers } from './live-answer.ts';

/** How long a stop waits until the instance that has the answer has stopped it. */
const STOP_WAIT_MS = 5000;

/** The address of an answer. */
export interface AnswerAddress {
  session: SessionKey;
  idempotencyKey: string;
}

/** An answer at its address. */
export interface AddressedAnswer {
  state: AnswerState;
  /** Undefined when only a stop has come so far. */
  question: string | undefined;
  /** When the question came, in milliseconds since 1970. */
  startedAt: number;
  /** Undefined while there is none. */
  answer: string | undefined;
  /** The key of the interaction's row; undefined when it is not stored. */
  position: string | undefined;
  /** Undefined unless `failed`. */
  failure: AskError | undefined;
}

/** The answers of all sessions that have an address. */
export interface Answers {
  /** Reads the state of an answer. @throws AskError when there is none, or storage fails. */
  read(address: AnswerAddress): Promise<AddressedAnswer>;
  /** Gives the text of an answer until it is complete. @throws AskError as {@link read}, or when the answer fails. */
  events(
    address: AnswerAddress,
    reader: Omit<Follower, keyof AnswerReader>,
  ): AsyncGenerator<AnswerEvent<AddressedAnswer>, void, void>;
  /**
   * Stops an answer, and waits until that is done, for at most 5 s. Without effect on an answer that has ended. Gives its
   * state. @throws AskError when storage fails.
   */
  stop(address: AnswerAddress, signal: AbortSignal): Promise<AddressedAnswer>;
}

/** What {@link createAnswers} needs. */
export interface AnswersParts {
  live: LiveAnswers;
  claims: Claims;
  history: ChatHistory;
  limits: ConversationLimits;
}

/** Creates the answers of this process. */
export function createAnswers(parts: AnswersParts): Answers {
  const { live, claims, limits } = parts;
  const read = (address: AnswerAddress) => readAnswer(parts, address);

  return {
    read,
    events: (address, reader) => answerEvents((told) => readToEnd(parts, address, { ...reader, ...told })),
    async stop(address, signal) {
      const { session, idempotencyKey } = address;
      const here = live.get(session, idempotencyKey);
      if (here) {
        here.stop();
        return await here.outcome.then(
          (answered) => answeredState(here, answered),
          (error: unknown) => ({
            ...liveState(here),
            state: 'failed' as const,
            failure: here.failureOf(error),
          }),
        );
      }
      await claims.stop(session, idempotencyKey, rememberUntil(limits)).catch(unavailable);
      const pause = createRowPauses(signal);
      const until = performance.now() + STOP_WAIT_MS;
      for (;;) {
        const found = await read(address);
        if (found.state !== 'answering' || performance.now() > until) return found;
        await pause();
        signal.throwIfAborted();
      }
    },
  };
}

async function readAnswer(
  { live, claims, history }: AnswersParts,
  { session, idempotencyKey }: AnswerAddress,
): Promise<AddressedAnswer> {
  const here = live.get(session, idempotencyKey);
  if (here) return liveState(here);
  const stored = await claims.read(session, idempotencyKey).catch(unavailable);
  if (!stored) throw errors.answerNotFound();
  const { interaction: position } = stored;
  if (position === undefined) return withoutAnswer(stored);
  const [interaction] = (await history.readUpTo(session, position, 1).catch(unavailable)) ?? [];
  if (!interaction) throw errors.answerNotFound();
  const { question, answer } = interaction;
  return { ...withoutAnswer(stored), question, answer, position };
}

const withoutAnswer = ({ state, question, startedAt, failure }: Unanswered): AddressedAnswer => ({
  state,
  question,
  startedAt,
  answer: undefined,
  position: undefined,
  failure,
});

type Unanswered = Pick<StoredAnswer, 'state' | 'question' | 'startedAt' | 'failure'>;

const liveState = ({ question, startedAt }: LiveAnswer): AddressedAnswer =>
  withoutAnswer({ state: 'answering', question, startedAt, failure: undefined });

const answeredState = (live: LiveAnswer, { answer, position, stopped }: Answered): AddressedAnswer => ({
  ...liveState(live),
  state: stopped ? 'stopped' : 'answered',
  answer: answer === '' ? undefined : answer,
  position: position ?? undefined,
});

/** Gives the text of an answer to `onText` until it is complete, and then its state. */
async function readToEnd(
  parts: AnswersParts,
  address: AnswerAddress,
  follower: Follower,
): Promise<AddressedAnswer> {
  const { from, onText, signal } = follower;
  const pause = createRowPauses(signal);
  for (;;) {
    signal.throwIfAborted();
    const here = parts.live.get(address.session, address.idempotencyKey);
    if (here) return answeredState(here, await here.follow(follower));
    const found = await readAnswer(parts, address);
    if (found.failure) throw found.failure;
    if (found.state !== 'answering') {
      const { answer = '' } = found;
      if (answer.length > from) onText?.(answer.slice(from));
      return found;
    }
    await pause();
  }
}

const unavailable = (cause: unknown): never => {
  throw errors.answerUnavailable(cause);
};
