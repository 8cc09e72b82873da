/** The mixed load: callers that ask, stream, read slowly, leave, repeat, reset, delete, and read their sessions. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Answer } from '../../src/lib/contract/responses.ts';
import type { Manner, Outcome, Question } from './caller.ts';
import { markOf, SessionModel, type Turn } from './checker.ts';
import { checkAnswer, compareSession, NOT_STORED } from './compare.ts';
import { choose } from '../harness/random.ts';
import type { Load } from './run.ts';

/** Questions of a session before it is finished. Fewer than HISTORY_MAX_INTERACTIONS, so that answers show them all. */
const MAX_TURNS = 8;
/** Sessions that are kept for the end. The others are deleted, because Azurite needs more CPU the more rows it has. */
const MAX_FINISHED = 200;
/** Questions that all callers ask, so that their answers are cached. */
const SHARED_QUESTIONS = 30;
const RETRY_MS = 500;

let created = 0;

/** One caller with its sessions. */
export class SoakCaller {
  readonly #load: Load;
  #session: SessionModel;
  #asked = 0;

  constructor(load: Load) {
    this.#load = load;
    this.#session = this.#newSession();
  }

  /** Sends requests, with pauses of `pauseMs` on average, until the signal aborts. */
  async run(pauseMs: number): Promise<void> {
    const { signal, random } = this.#load;
    while (!signal.aborted) {
      await this.#next();
      await delay(pauseMs * 2 * random(), undefined, { signal }).catch(() => {});
    }
    this.#load.finished.push(this.#session);
  }

  async #next(): Promise<void> {
    const { random } = this.#load;
    if (this.#session.turns.length >= MAX_TURNS) return this.#finish();
    const kinds: [() => Promise<unknown>, number][] = [
      [() => this.#askShared(), 25],
      [() => this.#ask('asked', {}), 20],
      [() => this.#ask('streamed', { stream: true }, {}, 60), 12],
      [() => this.#ask('slow reader', { stream: true }, { slowMs: 20 }, 300), 4],
      [() => this.#ask('leaving', { stream: random() < 0.5 }, { leaveAfterMs: 5 + 95 * random() }, 60), 6],
      [() => this.#askTwice(), 8],
      [() => this.#ask('reset', { new_conversation: true }), 5],
      [() => this.#ask('not stored in the cache', {}, { headers: { 'cache-control': 'no-store' } }), 3],
      [() => this.#ask('only if cached', {}, { headers: { 'cache-control': 'only-if-cached' } }), 2],
      [() => this.#compare(this.#session), 10],
      [() => this.#finish(), 3],
      [() => this.#operate(), 2],
    ];
    let left = random() * kinds.reduce((sum, [, weight]) => sum + weight, 0);
    for (const [act, weight] of kinds) if ((left -= weight) < 0) return void (await act());
  }

  /** A question that others ask too, in a session of its own, which is deleted afterwards. */
  async #askShared(): Promise<void> {
    const session = this.#newSession();
    const question = `Shared question ${Math.floor(this.#load.random() * SHARED_QUESTIONS)}: 20 words`;
    const headers = choose(
      [{}, {}, {}, { 'cache-control': 'no-cache' }, { 'cache-control': 'max-age=5' }],
      this.#load.random,
    );
    await this.#send('shared', { session, turn: session.begin(question) }, {}, { headers });
    await this.#delete(session);
  }

  async #ask(kind: string, body: Partial<Question>, manner: Manner = {}, words = 12): Promise<void> {
    const session = this.#session;
    await this.#send(kind, { session, turn: session.begin(this.#question(words)) }, body, manner);
  }

  /** The same question with an Idempotency-Key twice at once, and once more later. */
  async #askTwice(): Promise<void> {
    const turn = this.#session.begin(this.#question(12));
    const manner = { headers: { 'idempotency-key': `key of ${turn.question}` } };
    const ask = () => this.#send('repeated', { session: this.#session, turn }, {}, manner);
    const outcomes = [...(await Promise.all([ask(), ask()])), await ask()];
    const stored = outcomes.flatMap((outcome) =>
      outcome.type === 'done' && outcome.value.performance_metrics.history_saved
        ? [outcome.value.answer]
        : [],
    );
    if (new Set(stored).size > 1)
      this.#load.violations.add('doubled', `${turn.question} was stored with ${stored.length} answers`);
  }

  /** Sends a question, and compares its answer with what the session must hold. */
  async #send(
    kind: string,
    { session, turn }: { session: SessionModel; turn: Turn },
    body: Partial<Question>,
    manner: Manner = {},
  ): Promise<Outcome<Answer>> {
    const full = { question: turn.question, session_id: session.id, ...body };
    const outcome = await this.#count(kind, () => this.#load.caller.ask(full, manner));
    if (outcome.type === 'done') {
      if (body.new_conversation) session.forget(turn);
      checkAnswer(session, turn, outcome.value, this.#load);
      return outcome;
    }
    // Another request with the same key may still be answered.
    if (outcome.type === 'error' && NOT_STORED.has(outcome.code) && kind !== 'repeated')
      turn.state = 'refused';
    // Whether the session was reset is unknown, so it is made certain.
    if (body.new_conversation) await this.#delete(session);
    return outcome;
  }

  /** Deletes a session, until the app says that it is deleted. */
  async #delete(session: SessionModel): Promise<void> {
    for (;;) {
      const outcome = await this.#count('deleted', () => this.#load.caller.deleteSession(session.id));
      if (outcome.type === 'done') return session.forget();
      if (this.#load.signal.aborted) return;
      await delay(RETRY_MS);
    }
  }

  /** Compares a session with the model. */
  async #compare(session: SessionModel): Promise<void> {
    await compareSession(session, () =>
      this.#count(
        'read',
        () => this.#load.caller.readSession(session.id),
        session.turns.every(({ state }) => state !== 'stored'),
      ),
    );
  }

  /** Compares the session for the last time, deletes it or keeps it for the end, and begins another one. */
  async #finish(): Promise<void> {
    const session = this.#session;
    this.#session = this.#newSession();
    await this.#compare(session);
    const { finished, random } = this.#load;
    if (finished.length < MAX_FINISHED && random() < 0.2) {
      finished.push(session);
      return;
    }
    await this.#delete(session);
    await this.#compare(session);
  }

  async #operate(): Promise<void> {
    const { caller, random } = this.#load;
    if (random() < 0.1) await this.#count('cache deleted', () => caller.request('DELETE', '/cache'));
    else await this.#count('health', () => caller.request('GET', '/health/ready'));
  }

  /** Counts a request, and has its error judged. A missing session is no error where there may be none. */
  async #count<T>(kind: string, send: () => Promise<Outcome<T>>, mayBeMissing = false): Promise<Outcome<T>> {
    const { requests, errors } = this.#load;
    requests.set(kind, (requests.get(kind) ?? 0) + 1);
    const sentAt = performance.now();
    const outcome = await send();
    if (outcome.type !== 'error') return outcome;
    const isMeant =
      (kind === 'only if cached' && outcome.code === 'not_cached') ||
      (mayBeMissing && outcome.code === 'session_not_found');
    if (!isMeant) errors.note(outcome.code, sentAt, kind);
    return outcome;
  }

  #newSession(): SessionModel {
    return new SessionModel(`session-${++created}`, this.#load.violations);
  }

  #question = (words: number): string => `${markOf(this.#session.id)} ${++this.#asked}, ${words} words`;
}
