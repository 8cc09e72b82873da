/**
 * The tools of the Model Context Protocol. The schemas of their arguments and results are derived from those of the HTTP
 * API.
 */
import * as z from 'zod/mini';
import { askFields, sessionId } from './ask-fields.ts';
import { answer, session } from './responses.ts';
import { flag } from './schema.ts';

const sessionArgument = sessionId.check(z.describe('Id of the session, as `ask` returned it.'));

// Not with zod's `pick` and `extend`: they would become part of what every cold start loads.
const { question, session_id, new_conversation } = askFields.shape;

/** Arguments of `ask`. */
export const askArguments = z.object({ question, session_id, new_conversation });

/** Result of `ask`. */
export const askResult = z.object({
  answer: answer.shape.answer,
  session_id: answer.shape.session_id,
  finish_reason: answer.shape.finish_reason,
  cached: flag('Whether the answer needed no model call of its own.'),
  performance_metrics: answer.shape.performance_metrics,
});

/** Arguments of `read_session`. */
export const readSessionArguments = z.object({
  session_id: sessionArgument,
  before: z
    .nullish(z.string('must be a string'))
    .check(z.describe('Position of an older page: `next` of the page before.')),
});

/** Result of `read_session`. */
export const readSessionResult = z.object({
  ...session.shape,
  next: z
    .nullable(z.string())
    .check(z.describe('Argument `before` for the page with older messages; null when there is none.')),
});

/** Arguments of `forget_session`. */
export const forgetSessionArguments = z.object({ session_id: sessionArgument });

/** Result of `forget_session`. */
export const forgetSessionResult = z.object({
  session_id: z.string(),
  forgotten: z.literal(true).check(z.describe('The session is deleted, or there was no such session.')),
});

/** Arguments of the prompt `explore_topic`. */
export const exploreTopicArguments = z.object({
  topic: z.string('is missing').check(z.minLength(1, 'must not be empty'), z.describe('What to ask about.')),
});

export type AskResult = z.infer<typeof askResult>;
export type ReadSessionResult = z.infer<typeof readSessionResult>;
export type ForgetSessionResult = z.infer<typeof forgetSessionResult>;
