/**
 * The two calls that questions wait for: a page of a query, and an insert. They use the SDK's pipeline, with its sign-in
 * and its retries, but not its operations: describing and mapping each property took more CPU than the HTTP
 * (docs/performance.md). learn.microsoft.com/rest/api/storageservices/query-entities and insert-entity.
 */
import {
  createHttpHeaders,
  createPipelineRequest,
  type HttpClient,
  type PipelineResponse,
  RestError,
} from '@azure/core-rest-pipeline';
import type { ListedRow, Properties } from './row-store.ts';
import type { TableClient } from '@azure/data-tables';
import { isTableNotFound, type StorageSignIn, toStorageError } from './storage-error.ts';
import { inTime, type TimeLimit } from './table-client.ts';

/** Timeout of one call. The SDK has none by default, and retries for 4 to 5 s. */
export const CALL_TIMEOUT_MS = 1500;

/** An entity as the SDK gives it: its keys and etag beside its properties. */
export interface Entity extends Record<string, unknown> {
  partitionKey?: string;
  rowKey?: string;
  etag?: string;
}

/** A query in OData. */
export interface Query {
  filter: string;
  select: string[];
}

/**
 * Calls to one table. Every method throws a StorageError when Table Storage fails, and a RowConflictError when it
 * answers with one of the codes in `conflicts`.
 */
export class TableCalls {
  readonly client: TableClient;
  readonly #signIn: StorageSignIn;

  constructor(client: TableClient, signIn: StorageSignIn) {
    this.client = client;
    this.#signIn = signIn;
  }

  /** Makes a call with a timeout of `ms` milliseconds. */
  async send<T>(
    call: (limit: TimeLimit) => Promise<T>,
    conflicts: string[] = [],
    ms = CALL_TIMEOUT_MS,
  ): Promise<T> {
    try {
      return await inTime(call, ms);
    } catch (error) {
      throw toStorageError(error, this.#signIn, conflicts);
    }
  }

  /** Makes a call that writes. When the table is missing, creates it and repeats the call. */
  async write<T>(call: (limit: TimeLimit) => Promise<T>, conflicts: string[]): Promise<T> {
    try {
      return await this.send(call, conflicts);
    } catch (error) {
      if (!isTableNotFound(error)) throw error;
    }
    await this.send((limit) => this.client.createTable(limit));
    return this.send(call, conflicts);
  }

  /** Makes a call that reads. Gives undefined when the table is missing. */
  async read<T>(call: (limit: TimeLimit) => Promise<T>, ms = CALL_TIMEOUT_MS): Promise<T | undefined> {
    try {
      return await this.send(call, [], ms);
    } catch (error) {
      if (isTableNotFound(error)) return undefined;
      throw error;
    }
  }

  /**
   * Gives the entities page by page, with a timeout of `pageMs` milliseconds for each page. A page may be short, or
   * even empty, although more pages follow. A missing table has no pages.
   */
  async *pages(query: Query, maxPageSize: number, pageMs: number) {
    let continuationToken: string | undefined;
    do {
      const settings = { maxPageSize, ...(continuationToken !== undefined && { continuationToken }) };
      const readPage = (limit: TimeLimit) =>
        this.client
          .listEntities<Entity>({ queryOptions: query, ...limit })
          .byPage(settings)
          .next();
      const read = await this.read(readPage, pageMs);
      if (!read || read.done) return;
      yield read.value;
      ({ continuationToken } = read.value);
    } while (continuationToken !== undefined);
  }
}

/** The version that the SDK's own operations send. */
const SERVICE_VERSION = '2019-02-02';
const COMMON_HEADERS = { 'x-ms-version': SERVICE_VERSION, dataserviceversion: '3.0' };
/** Types only where JSON has none: of our properties, binary ones. */
const MINIMAL = 'application/json;odata=minimalmetadata';
const TYPE = '@odata.type';

/** A page of a query. `next` is the position of the next one, which may be empty; undefined after the last page. */
export interface QueriedPage {
  rows: ListedRow[];
  next: URLSearchParams | undefined;
}

/** The body of a response: of a query, or of an error. */
interface Body {
  value?: Record<string, unknown>[];
  'odata.error'?: { code?: string };
}

interface Call {
  method: 'GET' | 'POST';
  /** What follows the name of the table. */
  path: string;
  query: string;
  headers: Record<string, string>;
  body?: string;
}

/** Makes the calls to one table. Every method throws the SDK's RestError when Table Storage fails. */
export class TableRequests {
  readonly #client: TableClient;
  readonly #http: HttpClient;
  readonly #url: string;
  /** A shared access signature, if the app signs in with one. */
  readonly #signature: string;

  /** `http` is the HTTP client of `client`. */
  constructor(client: TableClient, http: HttpClient) {
    this.#client = client;
    this.#http = http;
    const { origin, pathname, search } = new URL(client.url);
    this.#url = `${origin}${pathname.replace(/\/$/, '')}/${client.tableName}`;
    this.#signature = search.slice(1);
  }

  /** Gives a page of at most `top` rows that match an OData filter. */
  async query(
    { filter, select, top, next }: { filter: string; select?: string; top: number; next?: URLSearchParams },
    limit: TimeLimit,
  ): Promise<QueriedPage> {
    const parameters = new URLSearchParams(next);
    parameters.set('$filter', filter);
    parameters.set('$top', String(top));
    if (select !== undefined) parameters.set('$select', select);
    // OData reads "+" as a plus sign.
    const query = parameters.toString().replaceAll('+', '%20');
    const call = { method: 'GET', path: '()', query, headers: { accept: MINIMAL } } as const;
    const { value, response } = await this.#send(call, limit);
    if (!Array.isArray(value)) throw failed(response);
    return { rows: value.map(toRow), next: positionAfter(response) };
  }

  /** Inserts a row. Gives its etag. */
  async insert(partition: string, key: string, properties: Properties, limit: TimeLimit): Promise<string> {
    const body = JSON.stringify({ PartitionKey: partition, RowKey: key, ...toJson(properties) });
    const headers = { accept: MINIMAL, 'content-type': 'application/json', prefer: 'return-no-content' };
    const { response } = await this.#send({ method: 'POST', path: '', query: '', headers, body }, limit);
    return response.headers.get('etag') ?? '';
  }

  async #send({ method, path, query, headers, body }: Call, { abortSignal }: TimeLimit) {
    const search = [query, this.#signature].filter(Boolean).join('&');
    const request = createPipelineRequest({
      url: `${this.#url}${path}${search && `?${search}`}`,
      method,
      headers: createHttpHeaders({ ...COMMON_HEADERS, ...headers }),
      abortSignal,
      // Azurite uses plain HTTP; config.ts allows that for local addresses only.
      allowInsecureConnection: true,
      ...(body !== undefined && { body }),
    });
    const response = await this.#client.pipeline.sendRequest(this.#http, request);
    // The pipeline parses JSON, but does not say so in its type.
    const { parsedBody } = response as { parsedBody?: Body };
    if (response.status < 200 || response.status >= 300)
      throw failed(response, parsedBody?.['odata.error']?.code);
    return { value: parsedBody?.value, response };
  }
}

const failed = (response: PipelineResponse, code?: string): RestError =>
  new RestError(`status ${response.status}`, {
    statusCode: response.status,
    request: response.request,
    response,
    ...(code !== undefined && { code }),
  });

/** The position of the next page. One without a row begins with the first row of its partition. */
function positionAfter({ headers }: PipelineResponse): URLSearchParams | undefined {
  const partition = headers.get('x-ms-continuation-nextpartitionkey');
  const row = headers.get('x-ms-continuation-nextrowkey');
  if (partition === undefined) return undefined;
  return new URLSearchParams({ NextPartitionKey: partition, ...(row !== undefined && { NextRowKey: row }) });
}

function toJson(properties: Properties): Record<string, string | boolean> {
  const json: Record<string, string | boolean> = {};
  for (const [name, value] of Object.entries(properties)) {
    if (value instanceof Uint8Array) {
      json[name] = Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('base64');
      json[name + TYPE] = 'Edm.Binary';
    } else json[name] = value;
  }
  return json;
}

/** The properties still include the row's keys and time; no property of ours has one of these names. */
function toRow(entity: Record<string, unknown>): ListedRow {
  for (const [name, value] of Object.entries(entity)) {
    if (value === 'Edm.Binary' && name.endsWith(TYPE)) {
      const property = name.slice(0, -TYPE.length);
      entity[property] = Buffer.from(String(entity[property]), 'base64');
    }
  }
  return { key: String(entity['RowKey']), properties: entity as Properties };
}
