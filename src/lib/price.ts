/** What the model's tokens cost. */
import type { TokenUsage } from './chat-model.ts';

/** Of a million tokens each, in whatever currency the settings have. */
export interface Prices {
  input: number;
  /** Of a prompt's tokens that the model had cached. */
  cachedInput: number;
  output: number;
}

const MILLION = 1e6;

/** Gives what a model call with these tokens costs. */
export function costOf({ input, cachedInput, output }: Prices, tokens: TokenUsage): number {
  const { prompt, cached, completion } = tokens;
  return ((prompt - cached) * input + cached * cachedInput + completion * output) / MILLION;
}
