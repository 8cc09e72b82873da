/** The registry of the OpenAPI document's named schemas, and shorthands for common field types. */
import * as z from 'zod/mini';

/** The schemas that the OpenAPI document lists under `components`. */
export const schemas = z.registry<{ id: string; description: string }>();

export const seconds = (description: string) =>
  z.number().check(z.nonnegative(), z.describe(`${description} In seconds.`));
export const count = (description: string) => z.int().check(z.nonnegative(), z.describe(description));
export const percentage = (description: string) =>
  z.number().check(z.nonnegative(), z.maximum(100), z.describe(`${description} From 0 to 100.`));
export const flag = (description: string) => z.boolean().check(z.describe(description));
export const text = (description: string) => z.string().check(z.describe(description));
export const time = (description: string) => z.iso.datetime().check(z.describe(description));
