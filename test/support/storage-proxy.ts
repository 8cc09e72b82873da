/** A network in front of Azurite's tables, for tests: it sees every request, and answers can fail, hang or get lost. */
import { once } from 'node:events';
import { Agent, createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { inject } from 'vitest';

/**
 * `query` lists entities, `get` reads one, `insert` adds one, `update` replaces or merges one, `remove` deletes one,
 * `batch` does several together; `other` is the rest, creating a table for example.
 */
export type StorageRequestKind = 'query' | 'get' | 'insert' | 'update' | 'remove' | 'batch' | 'other';

/** A request, recorded on arrival. */
export interface StorageRequest {
  method: string;
  /** With its query. */
  path: string;
  kind: StorageRequestKind;
  /** What was answered, by the storage or in its place; null while (or if) nothing was. */
  status: number | null;
}

/**
 * `throttle`: Azure's answer when it has too much to do; the storage does not see the request. `hold`: nothing happens
 * until {@link StorageProxy.release}. `lose`: the storage does what it is asked, and the connection breaks before the
 * client learns of it. `late`: it does what it is asked, and its answer comes so many milliseconds later. Otherwise the
 * storage does not see the request, and this is its answer.
 */
export type StorageFault = 'throttle' | 'hold' | 'lose' | { late: number } | StorageRefusal;

/** An answer of Azure that refuses a request. */
export interface StorageRefusal {
  status: number;
  code: string;
}

/** A running proxy. */
export interface StorageProxy {
  /** For the settings of an app. */
  readonly connectionString: string;
  /** In order of arrival. */
  readonly requests: StorageRequest[];
  /** The header `Retry-After` of throttled answers, in seconds; 0 by default. */
  retryAfter: number;
  /** No page of a query has more entities. Azure promises no full pages either; 1000 by default. */
  maxPageSize: number;
  /** The next requests of this kind, `times` of them, get this fault. Faults of one kind come in the order given. */
  failNext(kind: StorageRequestKind, fault: StorageFault, times?: number): void;
  /** What is held goes on to the storage, unless its client has left. */
  release(): void;
  /** Forgets requests and faults, and breaks the connections of what is held. */
  reset(): void;
  close(): Promise<void>;
}

interface Held {
  response: ServerResponse;
  goOn: () => void;
}

const THROTTLED = JSON.stringify({
  'odata.error': {
    code: 'ServerBusy',
    message: { lang: 'en-US', value: 'The server is busy.\nRequestId:0\nTime:2026-01-01T00:00:00.0000000Z' },
  },
});

/** Starts a proxy in front of the tables that `storage`, a connection string, names: by default those of all tests. */
export async function startStorageProxy(storage = inject('storage')): Promise<StorageProxy> {
  const { host } = new URL(/TableEndpoint=([^;]+)/.exec(storage)?.[1] ?? '');
  const [hostname, port] = host.split(':');
  const agent = new Agent({ keepAlive: true });
  const requests: StorageRequest[] = [];
  const faults: Record<StorageRequestKind, { fault: StorageFault; left: number }[]> = {
    query: [],
    get: [],
    insert: [],
    update: [],
    remove: [],
    batch: [],
    other: [],
  };
  const held = new Set<Held>();
  const takeFault = (kind: StorageRequestKind): StorageFault | undefined => {
    const next = faults[kind][0];
    if (next && --next.left === 0) faults[kind].shift();
    return next?.fault;
  };

  const server = createServer((incoming, response) => {
    const seen = record(incoming);
    requests.push(seen);
    const fault = takeFault(seen.kind);
    const target = { hostname, port, agent, maxPageSize: proxy.maxPageSize };
    const forward = () => passOn(incoming, response, target, seen, fault);
    if (fault === 'throttle') throttle(incoming, response, seen, proxy.retryAfter);
    else if (fault === 'hold') hold(held, response, forward);
    else if (typeof fault === 'object' && 'code' in fault) void refuse(incoming, response, seen, fault);
    else forward();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');

  const proxy: StorageProxy = {
    connectionString: storage.replace(host, `127.0.0.1:${(server.address() as AddressInfo).port}`),
    requests,
    retryAfter: 0,
    maxPageSize: 1000,
    failNext: (kind, fault, times = 1) => void faults[kind].push({ fault, left: times }),
    release() {
      for (const { goOn } of held) goOn();
      held.clear();
    },
    reset() {
      for (const list of [requests, ...Object.values(faults)]) list.length = 0;
      for (const { response } of held) response.destroy();
      held.clear();
      proxy.retryAfter = 0;
      proxy.maxPageSize = 1000;
    },
    async close() {
      server.close();
      server.closeAllConnections();
      agent.destroy();
      await once(server, 'close');
    },
  };
  return proxy;
}

function record({ method = '', url: path = '' }: IncomingMessage): StorageRequest {
  return {
    method,
    path,
    kind: kindOf(method, decodeURIComponent(path.split('?', 1)[0] ?? '')),
    status: null,
  };
}

function kindOf(method: string, path: string): StorageRequestKind {
  if (path.endsWith('/$batch')) return 'batch';
  if (/\/\w+\(PartitionKey=/.test(path)) {
    return method === 'GET' ? 'get' : method === 'DELETE' ? 'remove' : 'update';
  }
  if (method === 'GET') return 'query';
  // /account/table, or /account/Tables for the tables themselves.
  return method === 'POST' && /^\/[^/]+\/(?!Tables\b)\w+$/.test(path) ? 'insert' : 'other';
}

interface Storage {
  hostname: string | undefined;
  port: string | undefined;
  agent: Agent;
  maxPageSize: number;
}

/** Sends a request to the storage as it came, and its answer back, or breaks the connection in its place. */
function passOn(
  incoming: IncomingMessage,
  response: ServerResponse,
  { maxPageSize, ...storage }: Storage,
  seen: StorageRequest,
  fault: StorageFault | undefined,
): void {
  const { method, url = '', rawHeaders } = incoming;
  const path = url.replace(/(?<=[?&](?:%24|\$)top=)\d+/, (top) => String(Math.min(Number(top), maxPageSize)));
  // The host that the client sent goes on, too: the storage is to notice nothing.
  const outgoing = request({ ...storage, method, path, headers: rawHeaders, setHost: false });
  outgoing.once('error', () => response.destroy());
  outgoing.once('response', (answer) => {
    const status = answer.statusCode ?? 0;
    seen.status = status;
    answer.once('error', () => response.destroy());
    const send = (): void => {
      response.writeHead(status, answer.rawHeaders);
      answer.pipe(response);
    };
    if (fault === 'lose') answer.resume().once('end', () => response.destroy());
    else if (typeof fault === 'object' && 'late' in fault) setTimeout(send, fault.late);
    else send();
  });
  incoming.pipe(outgoing);
}

/**
 * Azure's words, from learn.microsoft.com/rest/api/storageservices/table-service-error-codes and the answers in
 * github.com/Azure/azure-sdk-for-net/issues/23918 and github.com/microsoft/AzureStorageExplorer/issues/5201.
 */
const MESSAGES: Record<string, string> = {
  AuthenticationFailed:
    'Server failed to authenticate the request. Make sure the value of Authorization header is formed correctly including the signature.',
  EntityAlreadyExists: 'The specified entity already exists.',
  EntityNotFound: 'The specified entity does not exist.',
  ResourceNotFound: 'The specified resource does not exist.',
  TableBeingDeleted: 'The specified table is being deleted. Try operation later.',
  TableNotFound: 'The table specified does not exist.',
  UpdateConditionNotSatisfied: 'The update condition specified in the request was not satisfied.',
};
const IDS = '\nRequestId:00000000-0000-0000-0000-000000000000\nTime:2026-01-01T00:00:00.0000000Z';
const JSON_TYPE = 'application/json;odata=minimalmetadata;streaming=true;charset=utf-8';

/** Refuses a request as Azure does: in JSON, within the parts of a batch, or in XML when the key is wrong. */
async function refuse(
  incoming: IncomingMessage,
  response: ServerResponse,
  seen: StorageRequest,
  { status, code }: StorageRefusal,
): Promise<void> {
  incoming.resume();
  // Azure reads the whole request, and so must this: the client is still sending it.
  await once(incoming, 'end');
  const words = `${MESSAGES[code] ?? code}${IDS}`;
  if (code === 'AuthenticationFailed') {
    // As in stackoverflow.com/questions/15056894.
    const xml = `<?xml version="1.0" encoding="utf-8" standalone="yes"?><error xmlns="http://schemas.microsoft.com/ado/2007/08/dataservices/metadata"><code>${code}</code><message xml:lang="en-US">${words}</message></error>`;
    seen.status = status;
    response.writeHead(status, { 'Content-Type': 'application/xml' }).end(xml);
    return;
  }
  const json = (message: string): string =>
    JSON.stringify({ 'odata.error': { code, message: { lang: 'en-US', value: message } } });
  if (seen.kind !== 'batch') {
    seen.status = status;
    response.writeHead(status, { 'Content-Type': JSON_TYPE }).end(json(words));
    return;
  }
  seen.status = 202;
  response.writeHead(202, { 'Content-Type': 'multipart/mixed; boundary=batchresponse_1' });
  // The message begins with the index of the operation that failed:
  // learn.microsoft.com/rest/api/storageservices/performing-entity-group-transactions#sample-error-response.
  response.end(inBatch(status, json(`0:${words}`)));
}

const inBatch = (status: number, body: string): string =>
  [
    '--batchresponse_1',
    'Content-Type: multipart/mixed; boundary=changesetresponse_1',
    '',
    '--changesetresponse_1',
    'Content-Type: application/http',
    'Content-Transfer-Encoding: binary',
    '',
    `HTTP/1.1 ${status} Refused`,
    'X-Content-Type-Options: nosniff',
    'DataServiceVersion: 3.0;',
    `Content-Type: ${JSON_TYPE}`,
    '',
    body,
    '--changesetresponse_1--',
    '--batchresponse_1--',
    '',
  ].join('\r\n');

function throttle(
  incoming: IncomingMessage,
  response: ServerResponse,
  seen: StorageRequest,
  retryAfter: number,
): void {
  incoming.resume();
  seen.status = 503;
  response.writeHead(503, {
    'Content-Type': 'application/json;odata=minimalmetadata',
    'x-ms-error-code': 'ServerBusy',
    'Retry-After': retryAfter,
  });
  response.end(THROTTLED);
}

function hold(held: Set<Held>, response: ServerResponse, goOn: () => void): void {
  const entry: Held = { response, goOn };
  held.add(entry);
  response.once('close', () => held.delete(entry));
}
