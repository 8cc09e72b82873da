/** The OpenAPI 3.1 document of this API, generated from the schemas and the error table. */
import * as z from 'zod/mini';
import { askFields, copyFields } from '../ask-fields.ts';
import { chatFields, responseFields } from '../openai-fields.ts';
import { userErasure, userRecord } from '../user-data.ts';
import { addressedEvents, streamEvents } from '../answer-events.ts';
import { API_VERSION, JSON_SCHEMA_OPTIONS, type NamedSchemas, schemas } from '../schema.ts';
import { askPaths } from './ask-paths.ts';
import { headers, type Json, ref } from './components.ts';
import { jsonRpcMessage, mcpPath } from './mcp-path.ts';
import { openAiPaths, openAiSchemas } from './openai-paths.ts';
import { otherPaths, pagePaths } from './other-paths.ts';
import { sessionPaths } from './session-paths.ts';
import { userPaths } from './user-paths.ts';

schemas.add(askFields, { id: 'Question', description: 'A question. Unknown fields are ignored.' });
schemas.add(copyFields, { id: 'CopyRequest', description: 'What to copy of a session.' });

schemas.add(userErasure, {
  id: 'UserErasure',
  description: 'The deletion of everything that is kept of a user.',
});
schemas.add(userRecord, {
  id: 'UserRecord',
  description: 'A line of an export. Other fields depend on `type`.',
});

schemas.add(responseFields, {
  id: 'ResponseRequest',
  description: 'A question, as OpenAI has it. Other fields are refused, unless their value changes nothing.',
});
schemas.add(chatFields, {
  id: 'ChatCompletionRequest',
  description:
    'Messages for the model, as OpenAI has them. Other fields are refused, unless their value changes nothing.',
});

/** Returns the document as a JSON object: spec.openapis.org/oas/v3.1.1 */
export function openApiDocument(): Json {
  return {
    openapi: '3.1.1',
    info: {
      title: 'Azure Functions Ask',
      version: API_VERSION,
      summary:
        'Answers questions with Azure OpenAI, with chat history, an answer cache and performance metrics.',
      description:
        'Durations are in seconds. New fields may be added to any response; documented fields stay. An error response has an HTTP status, a `status` text that says what to do, and an `error.code` for client programs.',
      license: { name: 'MIT', identifier: 'MIT' },
    },
    servers: [{ url: '/', description: 'The host that served this document.' }],
    security: [{ functionKey: [] }, { functionKeyInQuery: [] }, { callerKey: [] }, { callerKeyInHeader: [] }],
    tags: [
      { name: 'questions', description: 'Questions and the chat page.' },
      { name: 'agents', description: 'The same questions and sessions for agents.' },
      { name: 'openai', description: 'The same questions and sessions for clients of OpenAI.' },
      { name: 'sessions', description: 'Chat histories.' },
      { name: 'users', description: 'What is kept of a user.' },
      { name: 'operation', description: 'Monitoring and administration.' },
    ],
    paths: {
      ...pagePaths,
      ...askPaths,
      ...mcpPath,
      ...openAiPaths,
      ...sessionPaths,
      ...userPaths,
      ...otherPaths,
    },
    components: {
      schemas: namedSchemas(),
      securitySchemes: {
        functionKey: { type: 'apiKey', in: 'header', name: 'x-functions-key', description: KEY },
        functionKeyInQuery: { type: 'apiKey', in: 'query', name: 'code', description: KEY },
        callerKey: { type: 'http', scheme: 'bearer', description: CALLER_KEY },
        callerKeyInHeader: { type: 'apiKey', in: 'header', name: 'api-key', description: CALLER_KEY },
      },
      headers,
    },
  };
}

const KEY =
  'A function key, or the admin key for `DELETE /cache` and `/users/{name}`. With HTTP_AUTH_LEVEL=anonymous no function key is required.';

const CALLER_KEY =
  'The key of a caller, where the settings have CALLER_KEYS. Operators still need their keys.';

function namedSchemas(): Json {
  const found = z.toJSONSchema(schemas, {
    ...JSON_SCHEMA_OPTIONS,
    uri: (id) => `#/components/schemas/${id}`,
  });
  return {
    ...(JSON.parse(JSON.stringify(found.schemas, withoutSchemaIds)) as Json),
    StreamEvent: streamEvent(streamEvents),
    AddressedStreamEvent: streamEvent(addressedEvents),
    JsonRpcMessage: jsonRpcMessage,
    ...openAiSchemas,
  };
}

/** Drops `$schema` and `$id`: inside the document they are redundant. */
const withoutSchemaIds = (key: string, value: unknown): unknown =>
  key === '$schema' || key === '$id' ? undefined : value;

const streamEvent = (events: NamedSchemas): Json => ({
  description:
    'The data of an event. A stream ends with `done` or `error`. Comments between events keep the connection alive; ignore them.',
  anyOf: Object.values(events).map((event) => ref(schemas.get(event)?.id ?? '')),
});
