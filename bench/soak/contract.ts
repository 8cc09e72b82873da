/** Compares responses with the OpenAPI document: whatever it does not describe is undocumented. */
import Ajv2020 from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import { streamEvents } from '../../src/lib/contract/answer-events.ts';
import { schemas } from '../../src/lib/contract/schema.ts';
import { openApiDocument } from '../../src/lib/contract/openapi/document.ts';

interface ResponseObject {
  content?: Record<string, { schema: object; examples?: Record<string, { value: ErrorBody }> }>;
}

interface ErrorBody {
  error?: { code?: string };
}

interface OpenApi {
  paths: Record<string, Record<string, { responses: Record<string, ResponseObject> }>>;
}

const document = openApiDocument() as unknown as OpenApi;
const ajv = new Ajv2020.default({ strict: false });
addFormats.default(ajv);
ajv.addSchema(document, 'openapi');

/** Returns what is undocumented in a response; null when nothing is. `path` is that of the document. */
export function undocumented(
  path: string,
  method: string,
  { status, type, body }: { status: number; type: string; body: unknown },
): string | null {
  const documented = document.paths[path]?.[method.toLowerCase()]?.responses[status];
  if (!documented) return `status ${status}`;
  const content = documented.content?.[type];
  if (!documented.content) return body === undefined ? null : `status ${status} with a body`;
  if (!content) return `status ${status} with the type "${type}"`;
  if (type !== 'application/json') return null;
  const code = (body as ErrorBody | undefined)?.error?.code;
  const codes = Object.values(content.examples ?? {}).flatMap(({ value }) => value.error?.code ?? []);
  if (status >= 400 && code !== undefined && codes.length > 0 && !codes.includes(code))
    return `status ${status} with ${code}`;
  return faultOf(content.schema, body);
}

/** Returns what is undocumented in an event of a stream; null when nothing is. */
export function undocumentedEvent(name: string, data: unknown): string | null {
  const schema = Object.entries(streamEvents).find(([known]) => known === name)?.[1];
  if (!schema) return `the event "${name}"`;
  return faultOf({ $ref: `#/components/schemas/${schemas.get(schema)?.id}` }, data);
}

const compiled = new Map<string, ReturnType<typeof ajv.compile>>();

function faultOf(schema: object, data: unknown): string | null {
  const text = JSON.stringify(schema).replaceAll('"#/', '"openapi#/');
  const validate = compiled.get(text) ?? ajv.compile(JSON.parse(text) as object);
  compiled.set(text, validate);
  return validate(data) ? null : `a body that is not as documented: ${ajv.errorsText(validate.errors)}`;
}
