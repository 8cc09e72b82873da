/** The cost of tokens. */
import type { Prices } from '../config/model-config.ts';
import type { TokenUsage } from '../model/completion.ts';

const MILLION = 1e6;

/** Gives the cost of these tokens, in the currency of the prices. Prices are per million tokens. */
export function costOf({ input, cachedInput, output }: Prices, tokens: TokenUsage): number {
  const { prompt, cached, completion } = tokens;
  return ((prompt - cached) * input + cached * cachedInput + completion * output) / MILLION;
}
