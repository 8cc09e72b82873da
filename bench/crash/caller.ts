/** A caller of one round of `npm run crash`: it asks until the round ends, or until the app is gone. */
import type { Answer } from '../../src/lib/contract/responses.ts';
import type { Outcome, Question } from '../soak/caller.ts';
import type { Load } from '../soak/run.ts';
import { markOf, SessionModel, type Turn } from '../soak/checker.ts';
import { checkAnswer, NOT_STORED } from '../soak/compare.ts';
import { choose } from '../harness/random.ts';

/** A question with an Idempotency-Key. */
export interface Keyed {
  session: SessionModel;
  turn: Turn;
}

/** Questions of a session. Fewer than HISTORY_MAX_INTERACTIONS, so that answers show them all. */
const MAX_TURNS = 8;
/** Questions of a round that all callers ask. */
export const SHARED_QUESTIONS = 5;

/** The text of a shared question of a round. */
export const sharedQuestion = (round: number, index: number): string =>
  `Shared question ${round}.${index}: 20 words`;

/** The sessions and the keys of one caller. */
export class CrashCaller {
  readonly sessions: SessionModel[] = [];
  readonly keyed: Keyed[] = [];
  readonly #load: Load;
  readonly #round: number;
  #asked = 0;

  constructor(load: Load, round: number) {
    this.#load = load;
    this.#round = round;
  }

  /** Asks until the signal aborts, or a question got no response. */
  async run(): Promise<void> {
    while (!this.#load.signal.aborted) if ((await this.#next()).type === 'gone') return;
  }

  #next(): Promise<Outcome<Answer>> {
    const { random } = this.#load;
    const way = choose(['plain', 'keyed', 'keyed', 'streamed', 'keyed streamed', 'shared'], random);
    if (way === 'shared') {
      const question = sharedQuestion(this.#round, Math.floor(random() * SHARED_QUESTIONS));
      const session = this.#newSession();
      return send(this.#load, { session, turn: session.begin(question) });
    }
    let session = this.sessions.findLast(({ id }) => id.endsWith('known'));
    if (!session || session.turns.length >= MAX_TURNS) session = this.#newSession(' known');
    const [withKey, stream] = [way.startsWith('keyed'), way.endsWith('streamed')];
    const question = `${markOf(session.id)} ${++this.#asked}, ${stream ? 100 : 10} words`;
    const keyed = { session, turn: session.begin(question) };
    if (withKey) this.keyed.push(keyed);
    return send(this.#load, keyed, withKey, stream);
  }

  #newSession(kind = ''): SessionModel {
    const id = `crash-${this.#round}-${++created}${kind.replace(' ', '-')}`;
    const session = new SessionModel(id, this.#load.violations);
    this.sessions.push(session);
    return session;
  }
}

let created = 0;

/** The key of a question. */
export const keyOf = ({ question }: Turn): string => `key of ${question}`;

/** Sends a question, compares its answer, and notes what became of it. */
export async function send(
  load: Load,
  { session, turn }: Keyed,
  withKey = false,
  stream = false,
): Promise<Outcome<Answer>> {
  const { caller, errors, requests } = load;
  const body: Question = { question: turn.question, session_id: session.id, stream };
  const headers = withKey ? { 'idempotency-key': keyOf(turn) } : {};
  const sentAt = performance.now();
  const outcome = await caller.ask(body, { headers });
  requests.set(outcome.type, (requests.get(outcome.type) ?? 0) + 1);
  if (outcome.type === 'done') checkAnswer(session, turn, outcome.value, load);
  if (outcome.type !== 'error') return outcome;
  errors.note(outcome.code, sentAt, 'ask');
  if (NOT_STORED.has(outcome.code) && turn.state === 'unsure') turn.state = 'refused';
  return outcome;
}
