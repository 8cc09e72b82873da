/** The cost of tokens. */
import type { Prices } from '../config/model-config.ts';
import type { TokenUsage } from '../model/completion.ts';

const MILLION = 1e6;

/**
 * Gives the cost of one completion, in the currency of the prices. Prices are per million tokens. A prompt above the
 * limit of the long context makes the whole completion dearer, not only the tokens above it.
 */
export function costOf(prices: Prices, { prompt, cached, cacheWrite, completion }: TokenUsage): number {
  const { input, cachedInput, cacheWrite: writing, output, longContext } = prices;
  const isLong = longContext !== null && prompt > longContext.tokens;
  const inputCost = (prompt - cached - cacheWrite) * input + cached * cachedInput + cacheWrite * writing;
  const factors = isLong ? longContext : { input: 1, output: 1 };
  return (factors.input * inputCost + factors.output * completion * output) / MILLION;
}
