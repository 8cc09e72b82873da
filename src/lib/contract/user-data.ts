/** The responses to the erasure of a user, and the lines of an export. */
import * as z from 'zod/mini';
import { text, time } from './schema.ts';

const CACHED = ['deleted', 'shared', 'off'] as const;

export const userErasure = z.object({
  status: text('What was deleted, or that the deletion goes on.'),
  state: z.enum(['erasing', 'erased']).check(z.describe('`erasing`: send the request again for its end.')),
  started_at: time('When the deletion began.'),
  cached_answers: z
    .enum(CACHED)
    .check(
      z.describe(
        '`deleted`: those of the user; `shared`: users share cached answers, which expire; `off`: there are none.',
      ),
    ),
});

export const userRecord = z.looseObject({
  type: text('`session`, `interaction`, `question`, another kind of data; at the end `end` or `error`.'),
});

/** What becomes of the cached answers. */
export type CachedAnswersOfUser = (typeof CACHED)[number];
export type UserErasure = z.infer<typeof userErasure>;
