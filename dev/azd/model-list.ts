/** infra/models.json: the models that a deployment may get, in the order of preference, and what is known of them. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { root } from '../stack/root.ts';

const DAY_MS = 86_400_000;

const date = z.iso.date();
const source = z.strictObject({ title: z.string(), url: z.url(), date });

const modelList = z.strictObject({
  /** When the facts were last looked up. */
  checked: date,
  /** A model is chosen only if it has at least so many days until it retires. */
  minimumDays: z.int(),
  /** Capacity in units of 1,000 tokens a minute. */
  candidates: z.array(
    z.strictObject({ name: z.string(), version: z.string(), sku: z.string(), capacity: z.int() }),
  ),
  models: z.array(
    z.strictObject({
      name: z.string(),
      version: z.string(),
      /** Null when no published date was found. */
      retires: date.nullable(),
      /** Requests a minute that a unit of capacity allows. */
      requestsPerUnit: z.number(),
      /** Units of capacity that a subscription of tier 1 has, Global Standard. */
      tier1Units: z.int(),
      note: z.string().optional(),
    }),
  ),
  sources: z.strictObject({ retires: source, openai: source, quota: source }),
});

export type ModelList = z.infer<typeof modelList>;

/** A model with its version, as it would be deployed. The capacity is in thousands of tokens a minute. */
export type Deployment = ModelList['candidates'][number];

/** Reads the file. @throws ZodError when it is not as described above */
export const readModelList = (): ModelList =>
  modelList.parse(JSON.parse(readFileSync(join(root, 'infra', 'models.json'), 'utf8')));

/** Returns the date of an option such as --date 2026-11-30, today without one. @throws Error when it is no date */
export function dateOf(text: string | undefined): Date {
  if (text === undefined) return new Date();
  return new Date(date.parse(text));
}

/** Returns the whole days from `now` until a date or time. */
export const daysUntil = (retires: string, now: Date): number =>
  Math.floor((Date.parse(retires) - now.getTime()) / DAY_MS);
