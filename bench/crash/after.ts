/** What is compared after a crash: repeats, sessions, and the cache. */
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as delay } from 'node:timers/promises';
import type { Load } from '../soak/run.ts';
import { SessionModel } from '../soak/checker.ts';
import { compareSession } from '../soak/compare.ts';
import { type Keyed, keyOf, send, SHARED_QUESTIONS, sharedQuestion } from './caller.ts';

/** Everything has to work again within this time. */
const RECOVERED_WITHIN_MS = 30_000;
const RETRY_MS = 300;

/** Calls `attempt` until it gives true. Gives false after 30 s. */
async function recovers(attempt: () => boolean | Promise<boolean>): Promise<boolean> {
  const end = performance.now() + RECOVERED_WITHIN_MS;
  while (!(await attempt())) {
    if (performance.now() > end) return false;
    await delay(RETRY_MS);
  }
  return true;
}

/**
 * Reads the states of answers that a crash may have cut off: none stays `answering` beyond the lease of a process that died,
 * which is 15 s. Gives the number of answers by state; `unknown` is a question that did not arrive.
 */
export async function readStates(
  { caller, violations }: Load,
  all: readonly Keyed[],
): Promise<Record<string, number>> {
  const states: Record<string, number> = {};
  await Promise.all(
    all.map(async ({ session, turn }) => {
      let state = '';
      const ended = await recovers(async () => {
        const outcome = await caller.readAnswer(session.id, keyOf(turn));
        if (outcome.type === 'done') ({ state } = outcome.value);
        else if (outcome.type === 'error' && outcome.code === 'answer_not_found') state = 'unknown';
        if (state === 'answered' && outcome.type === 'done') turn.answer ??= outcome.value.answer;
        return state !== '' && state !== 'answering';
      });
      if (!ended) violations.add('unexpected error', `the answer to "${turn.question}" stays "${state}"`);
      states[state] = (states[state] ?? 0) + 1;
    }),
  );
  return states;
}

/**
 * Repeats questions with their keys: one without an answer is answered now; one that was stored is replayed, and the model
 * is not asked again.
 */
export async function repeatAll(load: Load, all: readonly Keyed[]): Promise<void> {
  for (const keyed of all) {
    const { turn } = keyed;
    const wasStored = turn.state === 'stored';
    const answered = await recovers(async () => {
      if (turn.state === 'stored') return true;
      await send(load, keyed, true);
      // The answer above sets the state.
      return (turn.state as string) === 'stored';
    });
    if (!answered)
      load.violations.add('unexpected error', `"${turn.question}" could not be stored within 30 s`);
    // It may have been stored only now, after later questions.
    turn.ended &&= wasStored;
    const calls = await load.stack.services.send({ type: 'calls', question: turn.question });
    const replayed = await recovers(async () => (await send(load, keyed, true)).type === 'done');
    if (!replayed) load.violations.add('unexpected error', `"${turn.question}" was not replayed within 30 s`);
    const state = await load.caller.readAnswer(keyed.session.id, keyOf(turn));
    if (state.type !== 'done' || state.value.state !== 'answered' || state.value.answer !== turn.answer)
      load.violations.add('wrong', `the state of "${turn.question}" is ${JSON.stringify(state)}`);
    const later = await load.stack.services.send({ type: 'calls', question: turn.question });
    if (later > calls) load.violations.add('asked again', turn.question);
  }
}

/** Compares all sessions with the model, then deletes them. */
export async function compareAll(
  { caller, violations }: Load,
  sessions: readonly SessionModel[],
): Promise<void> {
  for (const session of sessions) {
    const compared = await recovers(() => compareSession(session, () => caller.readSession(session.id)));
    if (!compared) violations.add('unexpected error', `${session.id} could not be read within 30 s`);
    await caller.deleteSession(session.id);
  }
}

/**
 * Asks the shared questions of a round again. Each answer is compared with its prompt. Gives the number of answers by the
 * tier that had them, or by the result of the search.
 */
export async function askSharedAgain(load: Load, round: number): Promise<Record<string, number>> {
  const found: Record<string, number> = {};
  for (let index = 0; index < SHARED_QUESTIONS; index++) {
    const session = new SessionModel(`crash-${round}-shared-${index}`, load.violations);
    const outcome = await send(load, { session, turn: session.begin(sharedQuestion(round, index)) });
    if (outcome.type === 'done') {
      const { tier, result } = outcome.value.performance_metrics.cache;
      found[tier ?? result] = (found[tier ?? result] ?? 0) + 1;
    }
    await load.caller.deleteSession(session.id);
  }
  return found;
}

/** Checks that the cache file is a complete database with answers: as it was, or healed. */
export async function checkFile({ violations, stack: { cacheFile } }: Load): Promise<void> {
  let fault = '';
  const usable = await recovers(() => {
    fault = faultOfFile(cacheFile);
    return fault === '';
  });
  if (!usable) violations.add('unusable', fault);
}

/** Returns what is wrong with a cache file; empty when nothing is. */
function faultOfFile(path: string): string {
  try {
    const database = new DatabaseSync(path, { readOnly: true, timeout: 1000 });
    try {
      const [check] = Object.values(database.prepare('PRAGMA integrity_check').get() ?? {});
      if (check !== 'ok') return String(check);
      const [rows] = Object.values(database.prepare('SELECT count(*) FROM keyv').get() ?? {});
      return Number(rows) > 0 ? '' : 'it has no answers';
    } finally {
      database.close();
    }
  } catch (error) {
    return String(error);
  }
}
