/**
 * The body of POST /ask as a schema, used for validation and for the OpenAPI document. Each error message completes the
 * sentence `The field "NAME" ...`.
 */
import * as z from 'zod/mini';

/** Longest session id, in UTF-16 units. */
export const MAX_SESSION_ID_CHARS = 256;

/** Longest `Idempotency-Key`. */
export const MAX_KEY_CHARS = 255;

/** A text of the caller that can be a segment of an address. */
const segment = (maxChars: number) =>
  z.string('must be a string').check(
    z.minLength(1, `must have 1 to ${maxChars} characters`),
    z.maxLength(maxChars, `must have 1 to ${maxChars} characters`),
    // URL parsers remove these path segments, so such a session could not be read or deleted at /sessions/{session_id}.
    z.refine((id) => id !== '.' && id !== '..', 'must not be "." or ".."'),
    // The Functions host cannot tell the first two from "/" and "\\" in an address, and refuses addresses with the third.
    z.refine(
      (id) => !/%(?:2F|5C)/i.test(id) && !id.includes('\0'),
      'must not contain "%2F", "%5C" or the character U+0000',
    ),
  );

/** The id of a session. */
export const sessionId = segment(MAX_SESSION_ID_CHARS);

/** The key of a question and its answer. */
export const idempotencyKey = segment(MAX_KEY_CHARS);

/** The position of an interaction or of a page: the key of a row. */
export const POSITION_PATTERN = /^\d{13}-\d{13}-[\da-f-]{36}$/;

const position = z
  .string('must be a string')
  .check(z.regex(POSITION_PATTERN, 'must be the position of an interaction'));

const flag = (description: string) =>
  z.nullish(z.boolean('must be true or false')).check(z.describe(description));

/** The body of POST /ask. Null is treated as absent, and unknown fields are ignored. */
export const askFields = z.object({
  question: z
    .string({ error: ({ input }) => (input == null ? 'is missing' : 'must be a string') })
    .check(
      z.regex(/\S/, 'must not be blank'),
      z.describe(
        'Not blank, and at most 32,000 UTF-16 units long unless the setting `MAX_QUESTION_CHARS` says otherwise. Sent to the model unchanged.',
      ),
    ),
  session_id: z
    .nullish(sessionId)
    .check(
      z.describe(
        'Id of the conversation, 1 to 256 UTF-16 units, without `%2F`, `%5C` and U+0000, and not `.` or `..`. When absent, a new session with a UUID is created.',
      ),
    ),
  new_conversation: flag("Delete the session's chat history before answering."),
  replaces: z
    .nullish(position)
    .check(
      z.describe(
        'Position of an interaction of the session. The question is answered with the history before it, and takes its place. Not with `new_conversation`.',
      ),
    ),
  stream: flag(
    'Send the answer as server-sent events. The header `Accept: text/event-stream` does the same.',
  ),
});

/** The body of POST /sessions/{session_id}/copy. */
export const copyFields = z.object({
  before: z
    .nullish(position)
    .check(z.describe('Position of the first interaction that is not copied. Without it, all are.')),
});

/** The validated body of POST /ask. */
export type AskFields = z.infer<typeof askFields>;
export type CopyFields = z.infer<typeof copyFields>;
