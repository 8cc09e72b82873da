/** What the model's tokens cost. */
import type { Prices } from '../config/model-config.ts';
import type { TokenUsage } from '../model/completion.ts';

const MILLION = 1e6;

/** Gives what a model call with these tokens costs. */
export function costOf({ input, cachedInput, output }: Prices, tokens: TokenUsage): number {
  const { prompt, cached, completion } = tokens;
  return ((prompt - cached) * input + cached * cachedInput + completion * output) / MILLION;
}
