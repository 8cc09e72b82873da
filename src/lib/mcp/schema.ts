/** The contract's schemas in the form that the SDK lists. */
import type { CallToolResult, StandardSchemaWithJSON } from '@modelcontextprotocol/server';
import { toJSONSchema, type ZodMiniType } from 'zod/mini';
import { JSON_SCHEMA_OPTIONS } from '../contract/schema.ts';

type Listed<T> = StandardSchemaWithJSON<T, T>;

/** A schema that is listed and checked. The SDK words the errors. */
export const checked = <T>(schema: ZodMiniType<T>): Listed<T> =>
  withJsonSchema(schema, (value) => schema['~standard'].validate(value));

/** A schema that is only listed: the tool checks its arguments itself, so that the errors have our codes. */
export const listed = (schema: ZodMiniType): Listed<Record<string, unknown>> =>
  withJsonSchema(schema, (value) => ({ value: value as Record<string, unknown> }));

type Validate<T> = Listed<T>['~standard']['validate'];

function withJsonSchema<T>(schema: ZodMiniType, validate: Validate<T>): Listed<T> {
  const json = toJSONSchema(schema, JSON_SCHEMA_OPTIONS) as Record<string, unknown>;
  delete json['$schema'];
  const convert = () => json;
  return {
    '~standard': { version: 1, vendor: 'zod', validate, jsonSchema: { input: convert, output: convert } },
  };
}

/** The result of a tool: structured, and as text for clients that read only text. */
export const toolResult = (structured: object, ...texts: string[]): CallToolResult => ({
  content: texts.map((text) => ({ type: 'text', text })),
  structuredContent: structured,
});
