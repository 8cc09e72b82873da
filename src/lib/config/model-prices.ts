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

const NAME = 'MODEL_PRICES';
const ENTRY = /^(\w+)\s*=\s*(\S+)$/;

/** Reads `MODEL_PRICES`; null when it is not set. A cost would be wrong if one of the three prices were missing. */
export function readPrices(settings: SettingsReader): Prices | null {
  const entries = settings.list(NAME).map((entry) => ENTRY.exec(entry) ?? []);
  if (entries.length === 0) return null;
  const values = new Map(entries.map(([, name = '', value]) => [name, Number(value)]));
  const take = (name: string): number | undefined => {
    const value = values.get(name);
    values.delete(name);
    return value;
  };
  const isEachOnce = values.size === entries.length;
  const areNumbers = [...values.values()].every((value) => Number.isFinite(value) && value >= 0);
  const [input, cachedInput, output] = [take('input'), take('cached_input'), take('output')];
  const cacheWrite = take('cache_write') ?? input;
  const tokens = take('long_context_tokens');
  const isCount = tokens === undefined || (Number.isSafeInteger(tokens) && tokens > 0);
  const isComplete =
    input !== undefined && cachedInput !== undefined && output !== undefined && cacheWrite !== undefined;
  if (!isComplete || !isEachOnce || !areNumbers || !isCount || values.size > 0) {
    settings.problems.push(
      `${NAME} must have input, cached_input and output, and may have cache_write and long_context_tokens, as in input=2.5,cached_input=1.25,output=10.`,
    );
    return null;
  }
  const longContext = tokens === undefined ? null : { tokens, ...LONG_CONTEXT_FACTORS };
  return { input, cachedInput, cacheWrite, output, longContext };
}
