/** Sums of tokens, and how answers report tokens and their cost. */
import type { Prices } from '../config/model-config.ts';
import type { Cost } from '../contract/metrics.ts';
import type { TokenUsage } from '../model/completion.ts';
import { costOf } from './price.ts';

export const noTokens = (): TokenUsage => ({
  prompt: 0,
  completion: 0,
  cached: 0,
  cacheWrite: 0,
  reasoning: 0,
});

/** Adds tokens to `sum`, in place. */
export function addTokens(sum: TokenUsage, tokens: TokenUsage): void {
  const { prompt, completion, cached, cacheWrite, reasoning } = tokens;
  sum.prompt += prompt;
  sum.completion += completion;
  sum.cached += cached;
  sum.cacheWrite += cacheWrite;
  sum.reasoning += reasoning;
}

/** Gives the JSON field `tokens`. */
export const reportTokens = ({ cacheWrite, ...tokensPaid }: TokenUsage, tokensSaved: TokenUsage) => ({
  ...tokensPaid,
  cache_write: cacheWrite,
  saved: tokensSaved.prompt + tokensSaved.completion,
});

/**
 * Gives an object with the JSON field `cost`, or an empty object when there are no prices. Each usage is that of one
 * completion, because the prices depend on the size of its prompt.
 */
export function reportCost(prices: Prices | null, paid: TokenUsage[], saved: TokenUsage[]): { cost?: Cost } {
  if (!prices) return {};
  const sum = (usages: TokenUsage[]): number =>
    usages.reduce((total, usage) => total + costOf(prices, usage), 0);
  return { cost: roundedCost({ spent: sum(paid), saved: sum(saved) }) };
}

/** Rounds costs for the JSON field `cost`. */
export const roundedCost = ({ spent, saved }: Cost): Cost => ({
  spent: roundCost(spent),
  saved: roundCost(saved),
});

/** Rounded to billionths: one token costs a few millionths. */
const roundCost = (cost: number): number => Math.round(1e9 * cost) / 1e9;
