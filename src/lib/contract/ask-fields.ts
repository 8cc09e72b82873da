/** The fields of a question: the schema that checks them, and that the OpenAPI document shows. */
import * as z from 'zod/mini';

/** UTF-16 units. */
export const MAX_SESSION_ID_CHARS = 256;

/** The id of a session. Here as below, a message continues the sentence `The field "..." `. */
export const sessionId = z.string('must be a string').check(
  z.minLength(1, `must have 1 to ${MAX_SESSION_ID_CHARS} characters`),
  z.maxLength(MAX_SESSION_ID_CHARS, `must have 1 to ${MAX_SESSION_ID_CHARS} characters`),
  // They cannot stand in the path of an address, where sessions are read and deleted.
  z.regex(/^(?!\.\.?$)/, 'must not be "." or ".."'),
);

const flag = (description: string) =>
  z.nullish(z.boolean('must be true or false')).check(z.describe(description));

/** The body of POST /ask. Null counts as absent; fields that are not named here are ignored. */
export const askFields = z.object({
  question: z
    .string({ error: ({ input }) => (input == null ? 'is missing' : 'must be a string') })
    .check(
      z.regex(/\S/, 'must not be blank'),
      z.describe('Not blank, at most `MAX_QUESTION_CHARS` UTF-16 units. It is sent to the model as it is.'),
    ),
  session_id: z
    .nullish(sessionId)
    .check(
      z.describe('The conversation it belongs to, 1 to 256 UTF-16 units. Absent: a new one, with a UUID.'),
    ),
  new_conversation: flag("Forget the session's chat history, then answer."),
  stream: flag('The answer comes as server-sent events, as with the header `Accept: text/event-stream`.'),
});

/** The fields as they were sent. */
export type AskFields = z.infer<typeof askFields>;
