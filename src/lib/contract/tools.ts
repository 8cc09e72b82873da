/**
 * The tools of the Model Context Protocol: what they take and give, as it is listed. A client sends the listed schemas to
 * the model of its own choice, and one schema that the model's provider refuses ends the whole conversation. So they are
 * plain: `type`, `description`, `properties`, `required`, `items` and `enum`, without patterns, limits, unions and null
 * (test/support/tool-schema-rules.ts has the rules of the providers). The tools check their arguments by the rules of the
 * HTTP API.
 */
import * as z from 'zod/mini';
import { type ErrorCode, FINISH_REASONS } from './responses.ts';
import { flag, text } from './schema.ts';

const sessionArgument = text('Id of the session, as `ask` gave it.');
const before = (what: string) =>
  z.optional(z.string()).check(z.describe(`For older ${what}: \`next\` of the page before.`));
const next = z
  .optional(z.string())
  .check(z.describe('Argument `before` of the next page; absent on the last.'));

/** Arguments of `ask`. */
export const askArguments = z.object({
  question: text('The question. It is sent to the model unchanged.'),
  session_id: z
    .optional(z.string())
    .check(z.describe('The session of an earlier answer, to follow up. Without it a new session begins.')),
  idempotency_key: z
    .optional(z.string())
    .check(
      z.describe(
        'A name of your choice for this question, with session_id. A repeated call with the same key gets the same answer.',
      ),
    ),
});

/** Result of `ask`. */
export const askResult = z.object({
  answer: z.string(),
  session_id: text('For follow-up questions.'),
  finish_reason: z
    .optional(z.enum(FINISH_REASONS))
    .check(z.describe('Why the text ends. `length`: it was cut at the output limit.')),
  cached: flag('Whether the answer is not from a model call of its own.'),
  stale: z
    .optional(z.boolean())
    .check(z.describe('An expired answer, because the model did not answer; absent otherwise.')),
  stopped: z
    .optional(z.boolean())
    .check(z.describe('The answer was stopped before its end; absent otherwise.')),
});

/** Arguments of `read_session`. */
export const readSessionArguments = z.object({ session_id: sessionArgument, before: before('messages') });

/** Result of `read_session`. */
export const readSessionResult = z.object({
  session_id: z.string(),
  created_at: text('ISO 8601.'),
  updated_at: text('ISO 8601.'),
  interaction_count: z.int().check(z.describe('On all pages.')),
  chat_history: z
    .array(
      z.object({
        role: z.enum(['human', 'ai']),
        content: z.string(),
        shortened: z.optional(z.boolean()).check(z.describe('Too long to be stored completely.')),
        stopped: z.optional(z.boolean()).check(z.describe('The answer was stopped before its end.')),
      }),
    )
    .check(z.describe('One page, oldest message first.')),
  next,
});

/** Arguments of `forget_session`. */
export const forgetSessionArguments = z.object({ session_id: sessionArgument });

/** Result of `forget_session`. */
export const forgetSessionResult = z.object({
  session_id: z.string(),
  forgotten: flag('Always true: the session is deleted, or there was none.'),
});

/** Arguments of `list_sessions`. */
export const listSessionsArguments = z.object({ before: before('sessions') });

/** Result of `list_sessions`. */
export const listSessionsResult = z.object({
  sessions: z.array(
    z.object({
      session_id: z.string(),
      title: text('The beginning of the first question.'),
      created_at: z.string(),
      updated_at: z.string(),
    }),
  ),
  next,
});

/** Arguments of the prompt `explore_topic`. */
export const exploreTopicArguments = z.object({
  topic: z.string('is missing').check(z.minLength(1, 'must not be empty'), z.describe('What to ask about.')),
});

/** Error messages for agents, where the message for HTTP names a field that the tools do not have. */
export const TOOL_MESSAGES: Partial<Record<ErrorCode, string>> = {
  conversation_too_long:
    'The question and its chat history are too long for the model. Shorten the question, or leave out "session_id" to begin a new session.',
  not_signed_in: 'Sign in to list your sessions. "read_session" reads a single session without signing in.',
};

export type AskResult = z.infer<typeof askResult>;
export type ReadSessionResult = z.infer<typeof readSessionResult>;
export type ForgetSessionResult = z.infer<typeof forgetSessionResult>;
export type ListSessionsResult = z.infer<typeof listSessionsResult>;
