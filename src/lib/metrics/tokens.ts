/** Adding up tokens, and telling what they cost. */
import type { Prices } from '../config/model-config.ts';
import type { Cost } from '../contract/metrics.ts';
import type { TokenUsage } from '../model/completion.ts';
import { costOf } from './price.ts';

export const noTokens = (): TokenUsage => ({ prompt: 0, completion: 0, cached: 0 });

/** Adds to `sum`. */
export function addTokens(sum: TokenUsage, { prompt, completion, cached }: TokenUsage): void {
  sum.prompt += prompt;
  sum.completion += completion;
  sum.cached += cached;
}

/** Tokens as answers show them. */
export const reportTokens = (paid: TokenUsage, saved: TokenUsage) => ({
  ...paid,
  saved: saved.prompt + saved.completion,
});

/** Their cost as answers show it: nothing without prices. */
export function reportCost(prices: Prices | null, paid: TokenUsage, saved: TokenUsage): { cost?: Cost } {
  if (!prices) return {};
  return { cost: { spent: roundCost(costOf(prices, paid)), saved: roundCost(costOf(prices, saved)) } };
}

/** To a billionth: a token costs some millionths. */
const roundCost = (cost: number): number => Math.round(1e9 * cost) / 1e9;
