/** A question, what it needs of its request, and what happens while it is answered. */
import type { CacheControl } from '../cache/cache-control.ts';
import type { Answer } from '../contract/responses.ts';
import type { QuestionRecord } from '../metrics/question-record.ts';

/** A valid question, as it was asked. */
export interface Question {
  text: string;
  sessionId: string;
  /** The id was made for this question. */
  isNewSession: boolean;
  /** Forget this session's history first. */
  newConversation: boolean;
  cacheControl: CacheControl;
  /** Who asks; null when nobody is signed in. */
  userId: string | null;
  /** Names this question, so that repeating it does no more than asking it once. */
  idempotencyKey: string | undefined;
  /** The answer is wanted as it comes. */
  stream: boolean;
}

/** What a question needs of the request that brought it. */
export interface QuestionContext {
  record: QuestionRecord;
  /** Ends the answering; its reason is the error that the caller gets. */
  signal: AbortSignal;
  /** Aborted when the caller disconnected. */
  disconnected: AbortSignal;
  warn: (message: string) => void;
}

/**
 * What happens while a question is answered: a piece of the text came (if it is wanted as a stream), the answer is
 * complete and stored.
 */
export type AnswerEvent = { type: 'token'; text: string } | { type: 'done'; answer: Answer };
