/** The sessions of a user: all of them are erased or exported, found by their states in the list of sessions. */
import { forEachConcurrently } from '../common/pending-work.ts';
import { AFTER_ANSWERS, ANSWER_PREFIX, type AnswerRow, toStoredAnswer } from '../history/answer-rows.ts';
import type { ChatHistory } from '../history/chat-history.ts';
import type { RowStore } from '../history/row-store.ts';
import type { SessionIndex } from '../history/session-index.ts';
import type { SessionState } from '../history/session-index-rows.ts';
import type { AnswersInProgress } from '../history/sessions.ts';
import {
  after,
  parseKey,
  type SessionKey,
  sessionPartition,
  toInteraction,
} from '../history/session-rows.ts';
import type { UserData, UserRecord } from './erasure.ts';

/** The clocks of two instances differ by less. */
const MAX_SKEW_MS = 60_000;
/** Rows of an export that are read at once. A row has at most 1 MiB. */
const BATCH_ROWS = 20;

/** What {@link createUserSessions} needs. */
export interface UserSessionsParts {
  store: RowStore;
  history: ChatHistory;
  index: SessionIndex;
  live: AnswersInProgress;
}

/** Creates the part of a user's data that the sessions are. */
export function createUserSessions(parts: UserSessionsParts): UserData {
  const { history, index, live } = parts;

  async function erase(session: SessionKey & { userId: string }): Promise<void> {
    // Its marker hides the rows of answers that are still in progress; the state tells those who write them.
    const { position, removed } = await history.delete(session);
    if (!removed) throw new Error('rows of a session could not be removed');
    await index.erase(session.userId, session.sessionId, position.epoch);
  }

  return {
    async erase(userId, startedAt) {
      for await (const states of index.states(userId)) {
        // An erasure that was interrupted goes on later: conversations that began meanwhile stay.
        const old = states.filter(({ createdAt }) => createdAt <= startedAt + MAX_SKEW_MS);
        await forEachConcurrently(old, ({ sessionId }) => erase({ userId, sessionId }));
      }
      live.forget({ userId });
    },
    async *export(userId) {
      for await (const states of index.states(userId))
        for (const state of states) yield* exportSession(parts, userId, state);
    },
  };
}

/** Gives a session, its interactions from the oldest on, and the questions with a key that have no interaction. */
async function* exportSession(
  { store, history }: UserSessionsParts,
  userId: string,
  { sessionId, title, createdAt, updatedAt, deleted }: SessionState,
): AsyncGenerator<UserRecord, void, void> {
  const session = { userId, sessionId };
  const { keys } = await history.readKeys(session);
  const questions = await unansweredIn(store, session);
  if (deleted && keys.length + questions.length === 0) return;
  const times = { created_at: toText(createdAt), updated_at: toText(updatedAt) };
  yield { type: 'session', session_id: sessionId, title, ...times };
  const oldestFirst = keys.toReversed();
  for (let start = 0; start < oldestFirst.length; start += BATCH_ROWS) {
    const batch = oldestFirst.slice(start, start + BATCH_ROWS);
    const range = { from: batch.at(-1) ?? '', to: after(batch[0] ?? '') };
    for (const { key, properties } of (await store.list(sessionPartition(session), range)).toReversed()) {
      const { turn: _, ...interaction } = (await toInteraction(properties)) ?? {};
      const asked_at = toText(parseKey(key).lastMs);
      yield { type: 'interaction', session_id: sessionId, position: key, asked_at, ...interaction };
    }
  }
  yield* questions;
}

async function unansweredIn(store: RowStore, session: SessionKey): Promise<UserRecord[]> {
  const range = { from: ANSWER_PREFIX, to: AFTER_ANSWERS };
  const rows = await store.list(sessionPartition(session), range);
  const all = await Promise.all(rows.map(({ properties }) => toStoredAnswer(properties as AnswerRow)));
  return all
    .filter((answer) => answer !== null)
    .filter(({ interaction, question }) => interaction === undefined && question !== undefined)
    .map(({ key, state, question, startedAt }) => ({
      type: 'question',
      session_id: session.sessionId,
      key,
      state,
      asked_at: toText(startedAt),
      question,
    }));
}

const toText = (ms: number): string => new Date(ms).toISOString();
