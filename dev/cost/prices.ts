/** docs/prices.json: the list prices that docs/cost.md computes with, each with its source and its date. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { root } from '../stack/root.ts';

const date = z.iso.date();
/** Dollars for a million tokens. A model without a price for writing its prompt cache charges the input price. */
const tokenPrices = z.strictObject({
  input: z.number(),
  cachedInput: z.number(),
  cacheWrite: z.number().nullable(),
  output: z.number(),
});

const prices = z.strictObject({
  currency: z.literal('USD'),
  sources: z.record(z.string(), z.strictObject({ title: z.string(), url: z.url() })),
  /** A prompt with more tokens than this has the long price, for all of its tokens. */
  longContextTokens: z.int(),
  /** Global Standard. `date` is the day on which the source was read. */
  models: z.array(
    z.strictObject({
      name: z.string(),
      short: tokenPrices,
      long: tokenPrices.nullable(),
      source: z.string(),
      date,
      note: z.string().optional(),
    }),
  ),
  services: z.array(
    z.strictObject({
      /** As in the formulas of docs/cost.md. */
      symbol: z.string(),
      price: z.number(),
      unit: z.string(),
      what: z.string(),
      free: z.string().optional(),
      /** Null when no published value was found. */
      source: z.string().nullable(),
      date,
    }),
  ),
});

export type Prices = z.infer<typeof prices>;
export type ModelPrice = Prices['models'][number];

/** Reads the file. @throws ZodError when it is not as described above */
export const readPrices = (): Prices =>
  prices.parse(JSON.parse(readFileSync(join(root, 'docs', 'prices.json'), 'utf8')));

/** Returns the prices of a model. @throws Error when it has none */
export function priceOf({ models }: Prices, name: string): ModelPrice {
  const found = models.find((model) => model.name === name);
  if (!found) throw new Error(`docs/prices.json has no price of ${name}.`);
  return found;
}

/** Returns the prices of the services by their symbols. */
export const symbolsOf = ({ services }: Prices): Record<string, number> =>
  Object.fromEntries(services.map(({ symbol, price }) => [symbol, price]));
