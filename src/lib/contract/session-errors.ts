/** The part of the table of errors about what is stored: sessions, and the answers in them. Use it through errors.ts. */
import { AskError } from './ask-error.ts';

/** Storage fails at the moment. */
const unavailable =
  (message: string) =>
  (cause?: unknown): AskError =>
    new AskError(503, 'history_unavailable', message, { retryAfterMs: 1000, cause });

export const sessionErrors = {
  sessionNotFound: () =>
    new AskError(
      404,
      'session_not_found',
      'There is no such session, or this page of the session no longer exists.',
    ),
  answerNotFound: () =>
    new AskError(
      404,
      'answer_not_found',
      'There is no answer with this key, or it was deleted. Answers are kept by their key for 24 hours.',
    ),
  /** The state of an answer whose process died, or whose caller left with FINISH_ABANDONED off. */
  interrupted: () =>
    new AskError(503, 'interrupted', 'The answer was interrupted before its end. Send the question again.'),
  previousResponseNotFound: () =>
    new AskError(
      400,
      'previous_response_not_found',
      'There is no such response, it was not stored, or its conversation was deleted. Send the messages again.',
      { param: 'previous_response_id' },
    ),
  idempotencyConflict: () =>
    new AskError(
      409,
      'idempotency_conflict',
      'This Idempotency-Key was used for another question. Send a new key.',
    ),
  idempotencyForgotten: () =>
    new AskError(
      409,
      'idempotency_conflict',
      'The answer for this Idempotency-Key was deleted. Send a new key.',
    ),
  interactionGone: () =>
    new AskError(
      409,
      'interaction_gone',
      'The interaction to replace was replaced or deleted meanwhile. Read the session again.',
    ),
  historyNotReset: unavailable(
    'The old conversation could not be deleted, so no new one was started. Try again.',
  ),
  claimUnavailable: unavailable(
    'The Idempotency-Key could not be checked, so the question was not sent to the model. Try again.',
  ),
  answerNotStored: () =>
    new AskError(503, 'history_unavailable', 'The answer could not be stored. Send the question again.'),
  answerUnavailable: unavailable('The state of the answer cannot be read or changed. Try again.'),
  userNotKnown: () =>
    new AskError(
      401,
      'not_signed_in',
      'Sign in: this address is for the data of a known user. Where nobody signs in or has a key of a caller, nothing is stored by user: delete each session with DELETE /sessions/{session_id}.',
    ),
  erasureIncomplete: (cause?: unknown) =>
    new AskError(
      503,
      'erasure_incomplete',
      'Not everything could be deleted. It is tried again within 2 hours, and whenever you send this request again.',
      { retryAfterMs: 10_000, cause },
    ),
  sessionNotCopied: unavailable('The session could not be copied. Try again.'),
  sessionNotDeleted: unavailable('The session could not be deleted. Try again.'),
  storageUnavailable: unavailable('Sessions cannot be read at the moment. Try again.'),
};
