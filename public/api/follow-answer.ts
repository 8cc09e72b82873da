/** An answer from its question to its end, through lost connections. */
import { reach } from './connection.ts';
import { type AnswerEvent, type KeyedQuestion, readAnswer, requestAnswer, sendQuestion } from './answer.ts';
import { unlessSilent } from './events.ts';
import { AskFailure } from './failure.ts';

const FIRST_PAUSE_MS = 500;
const MAX_PAUSE_MS = 8000;

/** The events of an answer; `lost` while the connection is being restored. */
export type FollowedEvent = AnswerEvent | { type: 'lost' };

/** How an answer is followed. */
export interface Following {
  /** The server does not know the question yet. */
  isNew: boolean;
  /** Whether a question that the server does not know is asked now. */
  mayAsk: () => boolean;
  signal: AbortSignal;
}

/**
 * Asks a question, or follows its answer, until the answer is complete. When the connection is lost, it is restored as
 * soon as the server can be reached, and the text continues where it ended: each character comes once.
 * @throws AskFailure when there is no answer.
 */
export async function* followAnswer(
  question: KeyedQuestion,
  { isNew, mayAsk, signal }: Following,
): AsyncGenerator<FollowedEvent, void, void> {
  let from = 0;
  let request = isNew ? sendQuestion : requestAnswer;
  for (let attempt = 0; ; attempt++) {
    const connection = new AbortController();
    try {
      const either = AbortSignal.any([signal, connection.signal]);
      for await (const event of readAnswer(await unlessSilent(request(question, from, either)))) {
        attempt = 0;
        if (event.type === 'opened') from = event.offset;
        if (event.type === 'token') from += event.text.length;
        yield event;
        if (event.type === 'done') return;
      }
    } catch (error) {
      if (signal.aborted || !(error instanceof AskFailure)) throw error;
      const isUnknown = error.code === 'answer_not_found' && mayAsk();
      if (!isUnknown && !error.isLost) throw error;
      request = isUnknown ? sendQuestion : requestAnswer;
      if (isUnknown) continue;
    } finally {
      connection.abort();
    }
    yield { type: 'lost' };
    await untilReached(attempt, signal);
  }
}

/** Waits for the next attempt, or until another request has reached the server. */
async function untilReached(attempt: number, signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, Math.min(FIRST_PAUSE_MS * 2 ** attempt, MAX_PAUSE_MS));
  const stopListening = reach.listen((now) => now === 'reached' && resolve());
  signal.addEventListener('abort', () => resolve(), { once: true });
  await promise;
  clearTimeout(timer);
  stopListening();
}
