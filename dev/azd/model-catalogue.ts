/**
 * What Azure offers in a region, from the catalogue of models and the quotas of a subscription:
 * learn.microsoft.com/rest/api/aiservices/accountmanagement/models/list and .../usages/list.
 */
import { z } from 'zod';
import { azJson } from './cli.ts';

const sku = z.object({
  name: z.string(),
  /** Name of the quota. Its spelling follows no rule: that of gpt-4.1-mini is OpenAI.GlobalStandard.gpt4.1-mini. */
  usageName: z.string().nullish(),
  deprecationDate: z.string().nullish(),
  capacity: z.object({ maximum: z.number().nullish() }).nullish(),
  rateLimits: z.array(z.object({ key: z.string(), count: z.number(), renewalPeriod: z.number() })).nullish(),
});

const catalogue = z.array(
  z.object({
    /** A model has an entry for each kind of account. The template creates accounts of the kind OpenAI. */
    kind: z.string(),
    model: z.object({
      name: z.string(),
      version: z.string().nullish(),
      lifecycleStatus: z.string().nullish(),
      capabilities: z.record(z.string(), z.string()).nullish(),
      deprecation: z.object({ inference: z.string().nullish() }).nullish(),
      skus: z.array(sku).nullish(),
    }),
  }),
);

const usages = z.array(
  z.object({ name: z.object({ value: z.string() }), currentValue: z.number(), limit: z.number() }),
);

export type CatalogueEntry = z.infer<typeof catalogue>[number];
export type Sku = z.infer<typeof sku>;

/** A region as the subscription sees it. */
export interface Region {
  location: string;
  models: CatalogueEntry[];
  /** By the name of the quota, in units of capacity. */
  quotas: Map<string, { used: number; limit: number }>;
}

/** Asks Azure for the models and quotas of a region. @throws CliError */
export async function readRegion(location: string, subscription?: string): Promise<Region> {
  const list = <T>(what: string, schema: z.ZodType<T>): Promise<T> =>
    azJson(schema, ['cognitiveservices', what, 'list', '--location', location], subscription);
  const [models, quotas] = await Promise.all([list('model', catalogue), list('usage', usages)]);
  return {
    location,
    models,
    quotas: new Map(
      quotas.map(({ name, currentValue, limit }) => [name.value, { used: currentValue, limit }]),
    ),
  };
}

/** Returns when a model stops answering under this SKU: the earlier of the two dates that the catalogue may have. */
export function retirementOf({ model }: CatalogueEntry, { deprecationDate }: Sku): string | undefined {
  const dates = [model.deprecation?.inference, deprecationDate].filter((text) => typeof text === 'string');
  return dates.toSorted((a, b) => Date.parse(a) - Date.parse(b))[0];
}

/** Returns how many requests a minute a deployment of this capacity takes; undefined when the catalogue does not say it. */
export function requestsAMinute({ rateLimits }: Sku, capacity: number): number | undefined {
  const limit = rateLimits?.find(({ key }) => key === 'request');
  return limit && Math.floor((limit.count * 60 * capacity) / limit.renewalPeriod);
}
