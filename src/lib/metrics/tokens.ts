/** How answers report tokens and their cost. */
import type { Prices } from '../config/model-config.ts';
import type { Cost } from '../contract/metrics.ts';
import type { TokenUsage } from '../model/completion.ts';
import { costOf } from './price.ts';

/** Gives the JSON field `tokens`. */
export const reportTokens = (tokensPaid: TokenUsage, tokensSaved: TokenUsage) => ({
  ...tokensPaid,
  saved: tokensSaved.prompt + tokensSaved.completion,
});

/** Gives an object with the JSON field `cost`, or an empty object when there are no prices. */
export function reportCost(
  prices: Prices | null,
  tokensPaid: TokenUsage,
  tokensSaved: TokenUsage,
): { cost?: Cost } {
  if (!prices) return {};
  return {
    cost: { spent: roundCost(costOf(prices, tokensPaid)), saved: roundCost(costOf(prices, tokensSaved)) },
  };
}

/** Rounded to billionths: one token costs a few millionths. */
const roundCost = (cost: number): number => Math.round(1e9 * cost) / 1e9;
