/**
 * An attempt at an endpoint that a budget pays for: reserved before it, settled by its usage after it. What a service bills
 * without a completion: learn.microsoft.com/azure/ai-foundry/openai/how-to/manage-costs
 */
import { AskError } from '../contract/errors.ts';
import type { CallBudget, CallRecord, Spent, TokenUsage } from './completion.ts';
import type { ModelEndpoint } from './endpoint.ts';
import type { Attempt } from './second-attempt.ts';

/** Statuses of responses before any work on the prompt: no access, no such deployment, over the quota, overloaded. */
const UNPROCESSED = new Set([401, 403, 404, 410, 429, 503]);
/** Refusals of the request itself. */
const REFUSALS = new Set(['model_misconfigured', 'unsupported_parameter']);
/** Refusals for which the service had to read the prompt: Azure bills it. */
const READ = new Set(['content_filtered', 'conversation_too_long']);

/** Gives `attempt` at `endpoint` with the reservation that it needs. It rejects without one, before anything is sent. */
export function paid(attempt: Attempt, endpoint: ModelEndpoint, budget: CallBudget): Attempt {
  return async (call, context) => {
    const { parameters } = endpoint.targetFor(context.overrides);
    const settle = await budget.reserve(call.prompt, parameters, context.signal);
    const before = { completions: call.usages.length, requests: call.connection.attempts };
    let failure: unknown;
    try {
      return await attempt(call, context);
    } catch (error) {
      failure = error;
      throw error;
    } finally {
      const isSent = call.connection.attempts > before.requests;
      settle(isSent ? spentBy(call, call.usages.slice(before.completions), failure) : 'nothing');
    }
  };
}

function spentBy({ connection }: CallRecord, usages: TokenUsage[], failure: unknown): Spent {
  // A server may not count tokens.
  if (usages.length > 0) return usages.every(isKnown) ? usages : 'everything';
  const { id, status } = connection;
  // No connection was established.
  if (id === 0) return 'nothing';
  if (status === null || status < 400) return 'everything';
  const code = failure instanceof AskError ? failure.code : '';
  if (READ.has(code)) return 'prompt';
  return UNPROCESSED.has(status) || REFUSALS.has(code) ? 'nothing' : 'everything';
}

const isKnown = ({ prompt }: TokenUsage): boolean => prompt > 0;
