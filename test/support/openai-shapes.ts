/**
 * The shapes of OpenAI's API from its published specification, of which openai-shapes.json is a part. They take the place
 * of the open shapes in the OpenAPI document of this app, so that each response in a test is held to them.
 */
import { readFileSync } from 'node:fs';

type Schema = Record<string, unknown>;

const file = new URL('openai-shapes.json', import.meta.url);
const { components } = JSON.parse(
  readFileSync(file, 'utf8').replaceAll('#/components/schemas/', 'openai#/'),
) as {
  components: { schemas: Record<string, Schema> };
};

/** Names in the document of this app, and in OpenAI's. */
const NAMES: Record<string, string> = {
  ChatCompletion: 'CreateChatCompletionResponse',
  ChatCompletionChunk: 'CreateChatCompletionStreamResponse',
  Response: 'Response',
  ResponseEvent: 'ResponseEvent',
  Model: 'Model',
  ModelList: 'ListModelsResponse',
  OpenAiError: 'ErrorResponse',
};

/** OpenAI's schemas, to be added to a validator under the name `openai`. */
export const openAiShapes = components.schemas;

/** Whether the validator allows no other fields in a schema: parts of a whole do not know the fields of the others. */
for (const [name, schema] of Object.entries(openAiShapes)) {
  if ('allOf' in schema) schema['unevaluatedProperties'] = false;
  else if (!name.endsWith('ResponseProperties')) closeObjects(schema);
}

/** What this app adds. */
for (const name of [
  'CreateChatCompletionResponse',
  'CreateChatCompletionStreamResponse',
  'ResponseProperties',
])
  Object.assign(openAiShapes[name]?.['properties'] as Schema, { x_performance_metrics: { type: 'object' } });

/** All events of a streamed response. */
openAiShapes['ResponseEvent'] = {
  anyOf: Object.keys(openAiShapes)
    .filter((name) => /^Response.+Event$/.test(name))
    .map((name) => ({ $ref: `openai#/${name}` })),
};

/** References to them, by the names in the document of this app. */
export const openAiReferences = Object.fromEntries(
  Object.entries(NAMES).map(([own, name]) => [own, { $ref: `openai#/${name}` }]),
);

function closeObjects(schema: unknown): void {
  if (typeof schema !== 'object' || schema === null) return;
  if ('properties' in schema && !('additionalProperties' in schema))
    Object.assign(schema, { additionalProperties: false });
  for (const part of Object.values(schema)) closeObjects(part);
}
