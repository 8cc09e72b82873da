/** The settings of the model's prices. */
import type { SettingsReader } from './settings-reader.ts';

/** Prices of one million tokens, in the currency of the settings. */
export interface Prices {
  input: number;
  /** For prompt tokens from the model's prompt cache. */
  cachedInput: number;
  /** For prompt tokens that are written to the model's prompt cache. */
  cacheWrite: number;
  output: number;
  /** Null when the size of the prompt does not change the prices. */
  longContext: LongContextPrices | null;
}

/** Higher prices for a completion with a long prompt. */
export interface LongContextPrices {
  /** The largest prompt at the ordinary prices. */
  tokens: number;
  /** Factor for all prompt tokens. */
  input: number;
  /** Factor for completion tokens. */
  output: number;
}

/**
 * The factors of OpenAI's models since GPT-5.6 above 272,000 tokens: github.com/APIs-Gateway/sub2api/pull/284 and
 * github.com/BerriAI/litellm/discussions/39633.
 */
const LONG_CONTEXT_FACTORS = { input: 2, output: 1.5 };

const REQUIRED = ['MODEL_PRICE_INPUT', 'MODEL_PRICE_CACHED_INPUT', 'MODEL_PRICE_OUTPUT'];

/** The cost would be wrong if a price were missing, so either all three required prices are set or none. */
export function readPrices(settings: SettingsReader): Prices | null {
  const [input, cachedInput, output] = REQUIRED.map((name) => settings.number(name, { min: 0 }));
  const cacheWrite = settings.number('MODEL_PRICE_CACHE_WRITE', { min: 0 });
  const longContext = readLongContext(settings);
  if (input !== undefined && cachedInput !== undefined && output !== undefined) {
    return { input, cachedInput, cacheWrite: cacheWrite ?? input, output, longContext };
  }
  // An invalid number is already in the problems.
  const missing = REQUIRED.filter((name) => settings.text(name) === undefined);
  const others = missing.length < REQUIRED.length || cacheWrite !== undefined || longContext !== null;
  if (missing.length > 0 && others) {
    settings.problems.push(`${missing.join(' and ')} must be set too: set all three prices or none.`);
  }
  return null;
}

function readLongContext(settings: SettingsReader): LongContextPrices | null {
  const tokens = settings.number('MODEL_PRICE_LONG_CONTEXT_TOKENS', { min: 1, integer: true });
  return tokens === undefined ? null : { tokens, ...LONG_CONTEXT_FACTORS };
}
