/**
 * Validates every response that a test receives against the OpenAPI document. It is loaded before each test file and
 * replaces `fetch`, so that no test can skip the validation.
 */
import { setImmediate } from 'node:timers/promises';
import Ajv2020, { type ValidateFunction } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import { createParser } from 'eventsource-parser';
import { addressedEvents, streamEvents } from '../../src/lib/contract/answer-events.ts';
import { type NamedSchemas, schemas } from '../../src/lib/contract/schema.ts';
import { openAiReferences, openAiShapes } from './openai-shapes.ts';
import { openApiDocument } from '../../src/lib/contract/openapi/document.ts';

interface ResponseObject {
  headers?: Record<string, object>;
  content?: Record<string, { schema: object; examples?: object }>;
}
type Operation = { responses: Record<string, ResponseObject> };
interface OpenApi {
  paths: Record<string, Record<string, Operation>>;
  components: { schemas: Record<string, Record<string, unknown>>; headers: Record<string, object> };
}

/** The document, and what validates against it. */
function readDocument() {
  const document = structuredClone(openApiDocument()) as unknown as OpenApi;
  // The document allows additional fields, because clients must accept new ones. In tests they are errors.
  for (const schema of Object.values(document.components.schemas)) close(schema);
  Object.assign(document.components.schemas, openAiReferences);
  const ajv = new Ajv2020.default({ strict: false, allErrors: true });
  addFormats.default(ajv);
  ajv.addSchema(openAiShapes, 'openai');
  ajv.addSchema(document, 'openapi');
  return { document, ajv, validators: new Map<string, ValidateFunction>() };
}

function close(schema: unknown): void {
  if (typeof schema !== 'object' || schema === null) return;
  if ('properties' in schema) Object.assign(schema, { additionalProperties: false });
  for (const part of Object.values(schema)) close(part);
}

interface Shared extends ReturnType<typeof readDocument> {
  plainFetch: typeof fetch;
  origins: Set<string>;
  checked: { answers: number; events: number };
}

// Vitest runs this file anew for each test file, in one process. To compile the schemas takes a while.
const holder = globalThis as typeof globalThis & { contract?: Shared };
const { plainFetch, origins, checked, document, ajv, validators } = (holder.contract ??= {
  ...readDocument(),
  plainFetch: globalThis.fetch,
  origins: new Set(),
  checked: { answers: 0, events: 0 },
});

/** Number of responses and events validated so far. */
export { checked };

/** Validates all further responses of the app at `url`. */
export function holdToContract(url: string): void {
  origins.add(new URL(url).origin);
}

/**
 * `fetch` that rejects when the response of a documented path does not match the document. Reading a stream fails at an
 * event that does not match.
 */
globalThis.fetch = async (input, init) => {
  const response = await plainFetch(input, init);
  const url = input instanceof Request ? input.url : String(input);
  const { origin, pathname } = new URL(url);
  const operations = origins.has(origin) ? operationsAt(pathname) : undefined;
  if (!operations) return response;
  const method = (init?.method ?? (input instanceof Request ? input.method : 'GET')).toLowerCase();
  const valid = await check(response, operations, method);
  // What the app has logged before is in the pipe, but this process may have read the response first.
  await setImmediate();
  return valid;
};

function operationsAt(path: string): Record<string, Operation> | undefined {
  const template = path
    .replace(/^\/sessions\/[^/]+/, '/sessions/{session_id}')
    .replace(/\/answers\/[^/]+$/, '/answers/{key}')
    .replace(/^\/users\/(?!me\b)[^/]+/, '/users/{name}')
    .replace(/^\/assets\/[^/]+$/, '/assets/{name}')
    .replace(/^\/v1\/models\/.+$/, '/v1/models/{model}');
  // The host ignores a trailing slash.
  return document.paths[template] ?? document.paths[template.replace(/\/$/, '')];
}

async function check(response: Response, operations: Record<string, Operation>, method: string) {
  const where = `${method} ${response.url}: ${response.status}`;
  const documented = findResponse(response, operations, method);
  if (!documented) throw new Error(`${where} is not in the OpenAPI document.`);
  checkHeaders(response, documented, where);
  const type = response.headers.get('content-type')?.split(';')[0];
  checked.answers++;
  if (method === 'head') return response;
  if (type === 'text/event-stream') {
    const { status, headers } = response;
    const checker = eventChecker(where, schemasOfEvents(documented));
    return new Response(response.body?.pipeThrough(checker), { status, headers });
  }
  if (type !== 'application/json') {
    const isText = type !== undefined && documented.content?.[type];
    if (response.body && response.headers.get('content-length') !== '0' && !isText) {
      throw new Error(`${where}: ${type} is not in the OpenAPI document.`);
    }
    return response;
  }
  const content = documented.content?.[type];
  if (!content) throw new Error(`${where} has no body in the OpenAPI document.`);
  const body = (await response.clone().json()) as { error?: { code: string } };
  validate(content.schema, body, where);
  // The examples list the error codes that are possible with a status.
  const codes = Object.values(content.examples ?? {}).map(
    ({ value }: { value: { error?: { code: string } } }) => value.error?.code,
  );
  if (response.status >= 400 && body.error && codes.length > 0 && !codes.includes(body.error.code)) {
    throw new Error(`${where}: the error ${body.error.code} is not in the OpenAPI document.`);
  }
  return response;
}

/** Finds the documented response. An undocumented method must get an error that a documented method can get. */
function findResponse({ status }: Response, operations: Record<string, Operation>, method: string) {
  const anyOther = operations['get'] ?? operations['post'] ?? operations['delete'];
  const operation = operations[method] ?? (status >= 400 ? anyOther : undefined);
  return operation?.responses[status];
}

function checkHeaders(response: Response, { headers = {} }: ResponseObject, where: string): void {
  for (const name of Object.keys(document.components.headers)) {
    const value = response.headers.get(name);
    if (value === null) continue;
    if (!headers[name]) throw new Error(`${where}: the header ${name} is not in the OpenAPI document.`);
    const typed = /^\d+$/.test(value) ? Number(value) : value;
    validate({ $ref: `#/components/headers/${name}/schema` }, typed, `${where}, ${name}`);
  }
}

/** For streams whose events have one schema, whatever their name. */
const ANY_EVENT = '*';

const STREAMS: Record<string, NamedSchemas> = {
  StreamEvent: streamEvents,
  AddressedStreamEvent: addressedEvents,
};

/** The schema of each event's data, by the name of the event. */
function schemasOfEvents({ content }: ResponseObject): Map<string, object> {
  const { contentSchema: schema = {} }: { contentSchema?: { $ref?: string } } =
    content?.['text/event-stream']?.schema ?? {};
  const events = STREAMS[schema.$ref?.split('/').at(-1) ?? ''];
  if (!events) return new Map([[ANY_EVENT, schema]]);
  return new Map(
    Object.entries(events).map(([name, event]) => [
      name,
      { $ref: `#/components/schemas/${schemas.get(event)?.id}` },
    ]),
  );
}

function eventChecker(where: string, known: Map<string, object>): TransformStream<Uint8Array, Uint8Array> {
  const decoder = new TextDecoder();
  const parser = createParser({
    onEvent({ event = 'message', data }) {
      const schema = known.get(event) ?? known.get(ANY_EVENT);
      // The last event of OpenAI's streams.
      if (data === '[DONE]') return;
      if (!schema) throw new Error(`${where}: the event ${event} is not in the OpenAPI document.`);
      validate(schema, JSON.parse(data), `${where}, event ${event}`);
      checked.events++;
    },
  });
  return new TransformStream({
    transform(chunk, controller) {
      controller.enqueue(chunk);
      parser.feed(decoder.decode(chunk, { stream: true }));
    },
  });
}

/** @throws Error that says where `value` does not match `schema`. */
function validate(schema: object, value: unknown, where: string): void {
  const key = JSON.stringify(schema).replaceAll('"#/', '"openapi#/');
  const validator = validators.get(key) ?? ajv.compile(JSON.parse(key) as object);
  validators.set(key, validator);
  if (!validator(value)) {
    throw new Error(`${where} is not as documented: ${ajv.errorsText(validator.errors)}`);
  }
}
