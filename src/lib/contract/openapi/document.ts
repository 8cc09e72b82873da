/** The OpenAPI 3.1 document of this API, made of the schemas and of the errors themselves. */
import * as z from 'zod/mini';
import { askFields } from '../ask-fields.ts';
import { schemas, streamEvents } from '../responses.ts';
import { askingPaths } from './ask-paths.ts';
import { headers, type Json, ref } from './components.ts';
import { servicePaths } from './other-paths.ts';

/** Of the contract, by semver.org; a client that knows 1.0 works with every 1.x. */
const API_VERSION = '1.0.0';

schemas.add(askFields, { id: 'Question', description: 'A question. Fields that are not named are ignored.' });

/** A JSON object: openapis.org/v3.1.1 */
export function openApiDocument(): Json {
  return {
    openapi: '3.1.1',
    info: {
      title: 'Azure Functions Ask',
      version: API_VERSION,
      summary: 'Questions answered by Azure OpenAI, with chat history, a cache and measured answers.',
      description:
        'Times are in seconds. New fields may appear in any answer; the named ones stay. An error has the right status, a `status` that says what to do, and an `error.code` for programs.',
      license: { name: 'MIT', identifier: 'MIT' },
    },
    servers: [{ url: '/', description: 'Where this document came from.' }],
    security: [{ functionKey: [] }, { functionKeyInQuery: [] }],
    tags: [
      { name: 'questions', description: 'Asking.' },
      { name: 'sessions', description: 'Chat histories.' },
      { name: 'operation', description: 'For those who run it.' },
    ],
    paths: { ...askingPaths, ...servicePaths },
    components: {
      schemas: namedSchemas(),
      securitySchemes: {
        functionKey: { type: 'apiKey', in: 'header', name: 'x-functions-key', description: KEY },
        functionKeyInQuery: { type: 'apiKey', in: 'query', name: 'code', description: KEY },
      },
      headers,
    },
  };
}

const KEY =
  'A function key, or the admin key for `DELETE /cache`. None is asked for with HTTP_AUTH_LEVEL=anonymous.';

function namedSchemas(): Json {
  const found = z.toJSONSchema(schemas, {
    // Clients must not take a field that is new for a fault.
    io: 'input',
    uri: (id) => `#/components/schemas/${id}`,
    override({ jsonSchema }) {
      // JavaScript's integers, which say nothing to others.
      if (jsonSchema.maximum === Number.MAX_SAFE_INTEGER) delete jsonSchema.maximum;
      if (jsonSchema.minimum === Number.MIN_SAFE_INTEGER) delete jsonSchema.minimum;
    },
  });
  return { ...(JSON.parse(JSON.stringify(found.schemas, withoutNames)) as Json), StreamEvent: streamEvent };
}

/** A schema's name and dialect are told by where it stands in the document. */
const withoutNames = (key: string, value: unknown): unknown =>
  key === '$schema' || key === '$id' ? undefined : value;

const streamEvent = {
  description:
    'The data of an event. A stream ends with `done` or `error`; comments in between mean nothing.',
  anyOf: Object.values(streamEvents).map((event) => ref(schemas.get(event)?.id ?? '')),
};
