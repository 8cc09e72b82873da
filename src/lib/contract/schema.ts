/** The registry of the OpenAPI document's named schemas, shorthands for common field types, and their JSON Schema. */
import * as z from 'zod/mini';

/** Semantic version of the contract: a client of 1.0 works with every 1.x. */
export const API_VERSION = '1.0.0';

/** The schemas that the OpenAPI document lists under `components`. */
export const schemas = z.registry<{ id: string; description: string }>();

/** Schemas by a name, such as that of an event. */
export type NamedSchemas = Record<string, Parameters<typeof schemas.get>[0]>;

export const seconds = (description: string) =>
  z.number().check(z.nonnegative(), z.describe(`${description} In seconds.`));
export const count = (description: string) => z.int().check(z.nonnegative(), z.describe(description));
export const percentage = (description: string) =>
  z.number().check(z.nonnegative(), z.maximum(100), z.describe(`${description} From 0 to 100.`));
export const flag = (description: string) => z.boolean().check(z.describe(description));
export const text = (description: string) => z.string().check(z.describe(description));
export const time = (description: string) => z.iso.datetime().check(z.describe(description));

/** Options of zod's conversion to JSON Schema. */
export const JSON_SCHEMA_OPTIONS: Parameters<typeof z.toJSONSchema>[1] = {
  // The output mode adds `additionalProperties: false`, and clients would reject new fields.
  io: 'input',
  override({ jsonSchema }) {
    // zod limits integers to JavaScript's safe range, which is not a rule of the API.
    if (jsonSchema.maximum === Number.MAX_SAFE_INTEGER) delete jsonSchema.maximum;
    if (jsonSchema.minimum === Number.MIN_SAFE_INTEGER) delete jsonSchema.minimum;
  },
};
