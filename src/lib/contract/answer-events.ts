/** The events of a streamed answer, and the state of an answer at its address, as schemas. */
import * as z from 'zod/mini';
import { answer, errorBody } from './responses.ts';
import { schemas, seconds, text, time } from './schema.ts';

/** An answer at its address. */
export const addressedAnswer = z
  .object({
    state: z
      .enum(['answering', 'answered', 'stopped', 'failed'])
      .check(
        z.describe(
          '`answering`: it is in progress; `answered`: it is stored; `stopped`: it was stopped, and what had come is stored; `failed`: there is no answer, `error` says why, and the question can be sent again.',
        ),
      ),
    session_id: z.string(),
    key: text('The `Idempotency-Key` of the question.'),
    question: z
      .optional(z.string())
      .check(z.describe('Absent when the answer was stopped before its question came.')),
    started_at: time('When the question, or else the stop, came.'),
    answer: z.optional(z.string()).check(z.describe('Absent while there is none.')),
    position: z
      .optional(z.string())
      .check(z.describe('Position of the interaction in its session; absent when it is not stored.')),
    status: z.optional(z.string()).check(z.describe('What went wrong and what to do. Only of `failed`.')),
    error: z.optional(errorBody.shape.error),
  })
  .register(schemas, { id: 'AddressedAnswer', description: 'The state of an answer at its address.' });

/** The data of each event of a stream, by event name. */
export const streamEvents = {
  session: z
    .object({
      session_id: z.string(),
      cold_start: z.optional(z.boolean()).check(z.describe('Only of `POST /ask`.')),
      offset: z
        .optional(z.int().check(z.nonnegative()))
        .check(
          z.describe(
            'Where the text of this stream begins, in UTF-16 code units: what `Last-Event-ID` said, or 0 when the question is asked anew. Only of questions with an `Idempotency-Key`, whose events `token` have such an offset as their id: that of the text after them.',
          ),
        ),
    })
    .register(schemas, { id: 'SessionEvent', description: 'Event `session`: the first event of a stream.' }),
  token: z
    .object({ text: z.string() })
    .register(schemas, { id: 'TokenEvent', description: 'Event `token`: the next piece of the answer.' }),
  status: z
    .object({
      state: z.literal('rate_limited'),
      retry_in: seconds('Time until the model is asked again.'),
    })
    .register(schemas, {
      id: 'StatusEvent',
      description:
        'Event `status`: the quota of the model is used up, and the question waits for the end of this rate limit. Only before the first `token`.',
    }),
  done: answer,
  error: errorBody,
};

/** The same of the stream at the address of an answer. */
export const addressedEvents = { ...streamEvents, done: addressedAnswer };

export type AddressedAnswerBody = z.infer<typeof addressedAnswer>;
export type SessionEvent = z.infer<typeof streamEvents.session>;
export type StatusEvent = z.infer<typeof streamEvents.status>;
