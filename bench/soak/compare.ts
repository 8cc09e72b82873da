/** Compares answers and sessions with the checker's model. */
import type { Answer } from '../../src/lib/contract/responses.ts';
import { faultOfAnswer } from './answers.ts';
import type { Caller } from './caller.ts';
import { type SessionModel, toInteractions, type Turn } from './checker.ts';
import type { ErrorJudge } from './errors.ts';
import type { Violations } from './violations.ts';

/** Refusals after which nothing can have been stored. */
export const NOT_STORED = new Set([
  'model_rate_limited',
  'model_unavailable',
  'circuit_open',
  'busy',
  'not_cached',
]);

/** Reads a session and compares it with the model. Gives false after an error, when nothing was compared. */
export async function compareSession(
  session: SessionModel,
  read: () => ReturnType<Caller['readSession']>,
): Promise<boolean> {
  const outcome = await read();
  if (outcome.type === 'done') session.compare(toInteractions(outcome.value.chat_history), 'read');
  else if (outcome.type === 'error' && outcome.code === 'session_not_found') session.compare([], 'read');
  else return false;
  return true;
}

/** Compares an answer with its prompt and with its session, and notes in `turn` whether it was stored. */
export function checkAnswer(
  session: SessionModel,
  turn: Turn,
  { answer, chat_history: shown, performance_metrics: metrics, session_id: id }: Answer,
  { violations, errors }: { violations: Violations; errors: ErrorJudge },
): void {
  const history = toInteractions(shown);
  const last = history.pop();
  if (id !== session.id) violations.add('foreign', `${session.id} got an answer of session ${id}`);
  if (last?.question !== turn.question || last.answer !== answer)
    violations.add(
      'wrong',
      `${session.id}: the last interaction is "${last?.question}", not "${turn.question}"`,
    );
  // A replayed answer is the stored one. Its prompt may have lacked an interaction that now stands before it: one whose
  // caller had left, and which was answered at the same time.
  const isReplay = metrics.from_cache && metrics.cache.result === 'bypass';
  const fault = isReplay ? null : faultOfAnswer(answer, history, turn.question);
  if (fault !== null)
    violations.add(metrics.from_cache ? 'wrong cached' : 'wrong', `${session.id}: ${fault}`);
  if (isReplay && turn.answer !== undefined && turn.answer !== answer)
    violations.add('wrong', `${session.id}: "${turn.question}" was replayed with another answer: ${answer}`);
  const startedAt = performance.now() - 1000 * metrics.total_time;
  if (metrics.history_available) session.compare(history, `answer to ${turn.question}`, turn);
  else errors.note('history_not_read', startedAt, 'ask');
  if (metrics.cache.result === 'error') errors.note('cache_error', startedAt, 'ask');
  turn.ended ||= turn.state !== 'stored';
  if (metrics.history_saved) {
    turn.answer = answer;
    turn.state = 'stored';
  } else {
    errors.note('history_not_saved', startedAt, 'ask');
  }
}
