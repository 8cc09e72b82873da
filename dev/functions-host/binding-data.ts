/**
 * The binding data of an HTTP request, which the real host sends to the worker as the metadata of an invocation. It takes
 * names from the JSON body, then from the query, then from the route, whatever their case, and adds the request's own
 * headers and query only where none of these is called `Headers` or `Query`:
 * github.com/Azure/azure-webjobs-sdk-extensions, src/WebJobs.Extensions.Http/HttpTriggerAttributeBindingProvider.cs
 */
import type { IncomingMessage } from 'node:http';
import type { RpcData } from './core.ts';

/** A body that is longer or slower is not read for the metadata, so that it can be forwarded while it arrives. */
const MAX_BODY_CHARS = 1_000_000;
const MAX_WAIT_MS = 300;

/** Gives the metadata of a request with these route parameters. `body` is empty when it is not known. */
export function bindingData(
  request: IncomingMessage,
  params: Record<string, string>,
  body: string,
): Record<string, RpcData> {
  const query = Object.fromEntries(new URLSearchParams(request.url?.split('?')[1]));
  const data = new Map<string, { name: string; value: RpcData }>();
  const put = (name: string, value: RpcData): void => {
    const key = name.toLowerCase();
    data.set(key, { name: RESERVED[key] ?? data.get(key)?.name ?? name, value });
  };
  for (const [name, value] of jsonProperties(body)) put(name, value);
  for (const [name, value] of Object.entries(query)) {
    // The key of the function is not passed on.
    if (name.toLowerCase() !== 'code')
      put(name, /^\s*[[{]/.test(value) ? { json: value } : { string: value });
  }
  for (const [name, value] of Object.entries(params)) put(name, { string: value });
  if (!data.has('query')) put('Query', { json: JSON.stringify(query) });
  if (!data.has('headers')) put('Headers', { json: JSON.stringify(joinedHeaders(request)) });
  return Object.fromEntries([...data.values()].map(({ name, value }) => [name, value]));
}

/** The names that the host adds itself replace those of the caller in another case. */
const RESERVED: Record<string, string> = { headers: 'Headers', query: 'Query' };

/** Gives a body with a declared length as text, if it arrives in time; otherwise an empty text. */
export async function bodyForBinding(request: IncomingMessage): Promise<string> {
  const declared = Number(request.headers['content-length'] ?? 0);
  if (!(declared > 0 && declared <= MAX_BODY_CHARS)) return '';
  const parts: Buffer[] = [];
  const collect = (part: Buffer): void => void parts.push(part);
  const ended = Promise.withResolvers<void>();
  request.on('data', collect);
  for (const event of ['end', 'close']) request.once(event, ended.resolve);
  const timer = setTimeout(ended.resolve, MAX_WAIT_MS);
  await ended.promise;
  clearTimeout(timer);
  request.off('data', collect);
  return request.complete ? Buffer.concat(parts).toString() : '';
}

/** The properties of a JSON object; none if the body is something else, or nested so deeply that no host reads it. */
function jsonProperties(body: string): [string, RpcData][] {
  try {
    const value: unknown = JSON.parse(body);
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return [];
    return Object.entries(value).map(([name, each]) => [name, toData(each)]);
  } catch {
    return [];
  }
}

const toData = (value: unknown): RpcData =>
  typeof value === 'object' && value !== null ? { json: JSON.stringify(value) } : { string: String(value) };

function joinedHeaders(request: IncomingMessage): Record<string, string> {
  return Object.fromEntries(
    Object.entries(request.headers).map(([name, value]) => [name, [value ?? ''].flat().join(', ')]),
  );
}
