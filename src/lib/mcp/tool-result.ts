/** Schemas in the form that the SDK lists, and the results and errors of tools. */
import {
  type CallToolResult,
  ProtocolError,
  ProtocolErrorCode,
  type StandardSchemaWithJSON,
} from '@modelcontextprotocol/server';
import { toJSONSchema, type ZodMiniType } from 'zod/mini';
import { JSON_SCHEMA_OPTIONS } from '../contract/schema.ts';
import type { AskError } from '../contract/errors.ts';
import { TOOL_MESSAGES } from '../contract/tools.ts';

type Listed<T> = StandardSchemaWithJSON<T, T>;

/** A schema that is listed and checked. The SDK writes the error messages. */
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

/** Our own keys in `_meta` of a tool's result, which clients do not show to the model. */
const ERROR_META = 'azure-functions-ask/error';
export const METRICS_META = 'azure-functions-ask/performance_metrics';

/**
 * The result of a tool. Clients give their model either the structured result or the texts, so each says everything that
 * the model needs.
 */
export const toolResult = (
  structured: object,
  texts: string[],
  meta?: Record<string, unknown>,
): CallToolResult => ({
  content: texts.map((text) => ({ type: 'text', text })),
  structuredContent: structured,
  ...(meta && { _meta: meta }),
});

/** The result of a tool that failed: the message and the code as for HTTP. */
export function toolError(error: AskError, sessionId?: string): CallToolResult {
  const { details } = error;
  const notes = [
    `code: ${details.code}`,
    ...(details.retry_after === undefined ? [] : [`retry after ${details.retry_after} s`]),
    ...(sessionId === undefined ? [] : [`session_id: ${sessionId}`]),
  ];
  return {
    isError: true,
    content: [{ type: 'text', text: `${TOOL_MESSAGES[error.code] ?? error.message} (${notes.join('; ')})` }],
    _meta: { [ERROR_META]: details },
  };
}

/** The JSON-RPC error of a resource that cannot be read. */
export function protocolError(error: AskError): ProtocolError {
  const code = error.status < 500 ? ProtocolErrorCode.InvalidParams : ProtocolErrorCode.InternalError;
  return new ProtocolError(code, error.message, error.details);
}
