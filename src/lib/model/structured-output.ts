/** Answers that follow a schema, as LangChain's `withStructuredOutput` gives them. */
import type {
  StructuredOutputMethodOptions,
  BaseLanguageModelInput,
} from '@langchain/core/language_models/base';
import {
  assembleStructuredOutputPipeline,
  createContentParser,
  createFunctionCallingParser,
} from '@langchain/core/language_models/structured_output';
import type { AIMessageChunk } from '@langchain/core/messages';
import type { Runnable } from '@langchain/core/runnables';
import { toJsonSchema } from '@langchain/core/utils/json_schema';
import type { SerializableSchema } from '@langchain/core/utils/standard_schema';
import { getSchemaDescription, type InteropZodType } from '@langchain/core/utils/types';
import type { PooledCallOptions } from './api-format.ts';

/** What a schema describes. */
export type Fields = Record<string, unknown>;

/** A schema of Zod or another library, or a JSON schema. */
export type OutputSchema<Output extends Fields> =
  | InteropZodType<Output>
  | SerializableSchema<Output>
  | Record<string, unknown>;

const DEFAULT_NAME = 'extract';

/** Gives the model followed by a parser, by one of LangChain's three methods. `bind` gives the model with options. */
export function structuredOutput<Output extends Fields>(
  bind: (options: Partial<PooledCallOptions>) => Runnable<BaseLanguageModelInput, AIMessageChunk>,
  schema: OutputSchema<Output>,
  { method = 'jsonSchema', name, strict, includeRaw }: StructuredOutputMethodOptions<boolean>,
) {
  const parameters: Fields = toJsonSchema(schema);
  const { title = DEFAULT_NAME } = parameters;
  const functionName = name ?? String(title);
  const common = { name: functionName, ...(strict !== undefined && { strict }) };
  if (method === 'functionCalling') {
    const description = getSchemaDescription(schema);
    const called = { ...common, ...(description !== undefined && { description }), parameters };
    const calling = bind({
      tools: [{ type: 'function', function: called }],
      // Without it the model may answer in prose.
      tool_choice: { type: 'function', function: { name: functionName } },
    });
    const parser = createFunctionCallingParser<Output>(schema, functionName);
    return assembleStructuredOutputPipeline(calling, parser, includeRaw);
  }
  const writing = bind({
    response_format:
      method === 'jsonMode'
        ? { type: 'json_object' }
        : { type: 'json_schema', json_schema: { ...common, schema: parameters } },
  });
  return assembleStructuredOutputPipeline(writing, createContentParser<Output>(schema), includeRaw);
}
