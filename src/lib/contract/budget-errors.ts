/** The part of the table of errors about budgets. Use it through errors.ts. */
import { AskError } from './ask-error.ts';
import type { BudgetName, LimitName } from './metrics.ts';

const NAMES: Record<BudgetName, string> = {
  caller_day: 'Your budget of this day',
  caller_month: 'Your budget of this month',
  app_day: 'The budget of this service for this day',
  app_month: 'The budget of this service for this month',
};

const renewal = (budget: LimitName, renewsAt: number, now: number) => ({
  budget,
  renewsAt,
  retryAfterMs: Math.max(0, renewsAt - now),
});

export const budgetErrors = {
  /** Times in milliseconds since 1970. */
  budgetExceeded: (name: BudgetName, renewsAt: number, now = Date.now()) =>
    new AskError(
      429,
      'budget_exceeded',
      `${NAMES[name]} has too little left for this question. It renews at ${new Date(renewsAt).toISOString()}. Cached answers are still given.`,
      renewal(name, renewsAt, now),
    ),
  rateLimited: (limit: number, renewsAt: number, now = Date.now()) =>
    new AskError(
      429,
      'rate_limited',
      `You may ask ${limit} ${limit === 1 ? 'question' : 'questions'} in a minute. Try again in the next one.`,
      { limit, ...renewal('caller_minute', renewsAt, now) },
    ),
  budgetUnavailable: (cause?: unknown) =>
    new AskError(
      503,
      'budget_unavailable',
      'The budget could not be checked, so the question was not sent to the model. Try again.',
      { retryAfterMs: 1000, cause },
    ),
};
