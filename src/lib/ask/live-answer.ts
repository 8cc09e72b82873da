/** Answers in progress in this process: their text so far, who follows them, and how to stop them. */
import { AskError, errors, toAskError } from '../contract/errors.ts';
import { untilAborted } from '../common/pending-work.ts';
import type { AnswerReader } from '../model/completion.ts';
import { digest, type Interaction, type SessionKey } from '../history/session-rows.ts';
import type { AnswersInProgress } from '../history/sessions.ts';
import { tellWait } from './single-flight.ts';

/** The reason of the abort when an answer is stopped. */
export class StoppedError extends Error {
  override readonly name = 'StoppedError';
}

/** A question with its answer, and the conversation before it. */
export interface Answered {
  /** Oldest first. The last one has the answer, unless this was stopped before its first text. */
  interactions: Interaction[];
  /** Empty only when it was stopped before its first text. */
  answer: string;
  stopped: boolean;
  /** The key of the interaction's row; null when it was not stored. */
  position: string | null;
}

/** Who reads the text of an answer. */
export interface Follower extends AnswerReader {
  /** Where in the text to begin, in UTF-16 code units. */
  from: number;
  /** Ends the reading; the reason is the error for the reader. */
  signal: AbortSignal;
  /** Aborts when the reader disconnects. */
  disconnected: AbortSignal;
}

/** One answer in progress. */
export class LiveAnswer {
  /** Milliseconds since 1970. */
  readonly startedAt: number;
  readonly question: string;
  /** Digest of everything that must be equal for two questions to be the same. */
  readonly content: string;
  #text = '';
  #isSealed = false;
  #isForgotten = false;
  #watching = 0;
  #waitsUntil = 0;
  readonly #followers = new Set<{ read: () => void; reader: AnswerReader }>();
  readonly #stopping = new AbortController();
  readonly #abandoned = new AbortController();
  readonly #outcome = Promise.withResolvers<Answered>();

  constructor(question: string, startedAt: number, content = '') {
    this.question = question;
    this.startedAt = startedAt;
    this.content = content;
    // Nobody may be following when it fails.
    this.#outcome.promise.catch(() => {});
  }

  /** The text so far. */
  get text(): string {
    return this.#text;
  }

  /** Aborts when the answer is stopped. */
  get stopping(): AbortSignal {
    return this.#stopping.signal;
  }

  get isStopped(): boolean {
    return this.stopping.aborted;
  }

  /** Aborts when nobody is connected any more. */
  get abandoned(): AbortSignal {
    return this.#abandoned.signal;
  }

  /** Settles with the outcome of the answer. */
  get outcome(): Promise<Answered> {
    return this.#outcome.promise;
  }

  add(text: string): void {
    this.#text += text;
    for (const { read } of this.#followers) read();
  }

  /** The model's rate limit is waited out, for this time in milliseconds. */
  wait(ms: number): void {
    this.#waitsUntil = performance.now() + ms;
    for (const { reader } of this.#followers) reader.onWait?.(ms);
  }

  /** Stops the answer. Without effect once it is being stored. */
  stop(): void {
    if (!this.#isSealed) this.#stopping.abort(new StoppedError());
  }

  /** Stops the answer because its conversation was deleted: it is not stored, unless that has begun. */
  forget(): void {
    this.#isForgotten = true;
    this.stop();
  }

  get isForgotten(): boolean {
    return this.#isForgotten;
  }

  /** From now on the answer cannot be stopped. */
  seal(): void {
    this.#isSealed = true;
  }

  succeed(answered: Answered): void {
    this.#outcome.resolve(answered);
  }

  fail(error: unknown): void {
    this.#outcome.reject(error);
  }

  /** What the address of the answer says after it has failed with `error`. */
  failureOf(error: unknown): AskError {
    return this.abandoned.aborted && !(error instanceof AskError) ? errors.interrupted() : toAskError(error);
  }

  /** Gives the text from a position, then each further piece, then the outcome. @throws what the answer fails with. */
  async follow(reader: Follower): Promise<Answered> {
    const { from, onText, signal, disconnected } = reader;
    let at = from;
    const read = (): void => {
      if (this.#text.length <= at) return;
      const text = this.#text.slice(at);
      at = this.#text.length;
      onText?.(text);
    };
    const leave = this.watch(disconnected);
    const follower = { read, reader };
    this.#followers.add(follower);
    try {
      read();
      tellWait(reader, this.#waitsUntil);
      const answered = await untilAborted(this.outcome, signal);
      // A cached answer to a plain question was given as a whole.
      if (answered.answer.length > at) onText?.(answered.answer.slice(at));
      return answered;
    } finally {
      this.#followers.delete(follower);
      leave();
    }
  }

  /** Counts somebody who wants the answer, until `disconnected` aborts or the returned function is called. */
  watch(disconnected: AbortSignal): () => void {
    this.#watching++;
    const onAbort = (): void => {
      if (--this.#watching === 0) this.#abandoned.abort(disconnected.reason);
    };
    if (disconnected.aborted) onAbort();
    else disconnected.addEventListener('abort', onAbort, { once: true });
    return () => {
      disconnected.removeEventListener('abort', onAbort);
      if (!disconnected.aborted) this.#watching--;
    };
  }
}

/** The answers in progress of this process. */
export class LiveAnswers implements AnswersInProgress {
  /** Those that have a key. */
  readonly #answers = new Map<string, LiveAnswer>();
  /** All of them. */
  readonly #sessions = new Map<LiveAnswer, SessionKey>();

  get(session: SessionKey, idempotencyKey: string): LiveAnswer | undefined {
    return this.#answers.get(idOf(session, idempotencyKey));
  }

  /** Adds an answer without a key until it has ended. */
  track({ userId, sessionId }: SessionKey, live: LiveAnswer): void {
    this.#sessions.set(live, { userId, sessionId });
    const remove = (): void => void this.#sessions.delete(live);
    live.outcome.then(remove, remove);
  }

  forget({ userId, sessionId }: Parameters<AnswersInProgress['forget']>[0]): void {
    for (const [live, session] of this.#sessions)
      if (session.userId === userId && (sessionId ?? session.sessionId) === session.sessionId) live.forget();
  }

  /** Adds an answer until it has ended. */
  add(session: SessionKey, idempotencyKey: string, live: LiveAnswer): void {
    this.track(session, live);
    const id = idOf(session, idempotencyKey);
    this.#answers.set(id, live);
    const remove = (): void => {
      if (this.#answers.get(id) === live) this.#answers.delete(id);
    };
    live.outcome.then(remove, remove);
  }
}

const idOf = ({ userId, sessionId }: SessionKey, idempotencyKey: string): string =>
  digest(userId, sessionId, idempotencyKey);
