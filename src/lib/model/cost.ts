/** What a call of the model costs, and what it may cost at most, in the currency of the prices. */
import type { Prices } from '../config/model-prices.ts';
import type { Message, TokenUsage } from './completion.ts';
import type { ModelParameters } from './parameters.ts';

const MILLION = 1e6;
/** Tokens that the service adds to a prompt: to each message its role and marks, and to the whole. */
const ADDED_PER_MESSAGE = 16;
const ADDED_PER_PROMPT = 256;

/**
 * Gives the cost of one completion, in the currency of the prices. Prices are per million tokens. A prompt above the
 * limit of the long context raises the prices of the whole completion, not only of the tokens above it.
 */
export function costOf(prices: Prices, { prompt, cached, cacheWrite, completion }: TokenUsage): number {
  const { input, cachedInput, cacheWrite: writing, output } = prices;
  const inputCost = (prompt - cached - cacheWrite) * input + cached * cachedInput + cacheWrite * writing;
  const factors = factorsFor(prices, prompt);
  return (factors.input * inputCost + factors.output * completion * output) / MILLION;
}

/** What a call may cost at most. */
export interface MostCost {
  prompt: number;
  /** Infinity when the output has no limit. */
  answer: number;
}

/**
 * Gives what a call costs at most. A token stands for at least one byte (github.com/openai/tiktoken: byte pair encoding),
 * and each may have the dearest price.
 */
export function mostCostOf(prices: Prices, prompt: Message[], parameters: ModelParameters): MostCost {
  const { responseFormat, maxOutputTokens = Infinity } = parameters;
  const texts = prompt.map(([, text]) => text);
  if (responseFormat) texts.push(JSON.stringify(responseFormat));
  const bytes = texts.reduce((sum, text) => sum + Buffer.byteLength(text), 0);
  const tokens = bytes + ADDED_PER_MESSAGE * prompt.length + ADDED_PER_PROMPT;
  const factors = factorsFor(prices, tokens);
  const input = Math.max(prices.input, prices.cachedInput, prices.cacheWrite);
  return {
    prompt: (factors.input * tokens * input) / MILLION,
    // No price times no limit is no number.
    answer: prices.output === 0 ? 0 : (factors.output * maxOutputTokens * prices.output) / MILLION,
  };
}

const factorsFor = ({ longContext }: Prices, promptTokens: number): { input: number; output: number } =>
  longContext !== null && promptTokens > longContext.tokens ? longContext : { input: 1, output: 1 };
