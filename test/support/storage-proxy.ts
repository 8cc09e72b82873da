/** A proxy in front of Azurite's tables: it records every request, and can fail, hold, delay or drop responses. */
import { once } from 'node:events';
import {
  Agent,
  createServer,
  type IncomingMessage,
  request as httpRequest,
  type ServerResponse,
} from 'node:http';
import type { AddressInfo } from 'node:net';
import { refuse, type StorageRefusal, throttle } from './storage-refusals.ts';
import { storage } from './azurite.ts';

/**
 * `query` lists entities, `get` reads one, `insert` adds one, `update` replaces or merges one, `remove` deletes one,
 * `batch` is a transaction; `other` is any other request, such as creating a table.
 */
export type StorageRequestKind = 'query' | 'get' | 'insert' | 'update' | 'remove' | 'batch' | 'other';

/** The record of a request, made on arrival. */
export interface StorageRequest {
  method: string;
  /** Includes the query string. */
  path: string;
  kind: StorageRequestKind;
  /** The status of the response, from the storage or from the proxy; null while (or if) there is none. */
  status: number | null;
}

/**
 * - `throttle`: 503 ServerBusy; the request does not reach the storage.
 * - `hold`: the request waits until {@link StorageProxy.release}.
 * - `lose`: the storage carries out the request, and the connection breaks before the client gets the response.
 * - `late`: the storage carries out the request, and the response is delayed by this many milliseconds.
 * - a refusal: this is the response; the request does not reach the storage.
 */
export type StorageFault = 'throttle' | 'hold' | 'lose' | { late: number } | StorageRefusal;

/** A running proxy. */
export interface StorageProxy {
  /** Connection string for the app's settings. */
  readonly connectionString: string;
  /** Requests in order of arrival. */
  readonly requests: StorageRequest[];
  /** The header `Retry-After` of throttled responses, in seconds; 0 by default. */
  retryAfter: number;
  /** The most entities in one page of a query; 1000 by default. Azure does not promise full pages either. */
  maxPageSize: number;
  /** Gives this fault to the next `times` requests of this kind. Faults of one kind are queued. */
  failNext(kind: StorageRequestKind, fault: StorageFault, times?: number): void;
  /** Forwards the held requests to the storage, except those whose client has disconnected. */
  release(): void;
  /** Deletes the records and the queued faults, and breaks the connections of held requests. */
  reset(): void;
  close(): Promise<void>;
}

interface Held {
  response: ServerResponse;
  forward: () => void;
}

/**
 * Starts a proxy in front of the tables of `account`, a connection string; by default the tables of this test
 * worker.
 */
export async function startStorageProxy(account = storage): Promise<StorageProxy> {
  const { host } = new URL(/TableEndpoint=([^;]+)/.exec(account)?.[1] ?? '');
  const [hostname, port] = host.split(':');
  const agent = new Agent({ keepAlive: true });
  const requests: StorageRequest[] = [];
  const faults: Record<StorageRequestKind, { fault: StorageFault; remaining: number }[]> = {
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
    if (next && --next.remaining === 0) faults[kind].shift();
    return next?.fault;
  };

  const server = createServer((incoming, response) => {
    const request = record(incoming);
    requests.push(request);
    const fault = takeFault(request.kind);
    const target = { hostname, port, agent, maxPageSize: proxy.maxPageSize };
    const forward = () => forwardRequest(incoming, response, target, { recorded: request, fault: fault });
    if (fault === 'throttle') throttle(incoming, response, request, proxy.retryAfter);
    else if (fault === 'hold') hold(held, response, forward);
    else if (typeof fault === 'object' && 'code' in fault) void refuse(incoming, response, request, fault);
    else forward();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');

  const proxy: StorageProxy = {
    connectionString: account.replace(host, `127.0.0.1:${(server.address() as AddressInfo).port}`),
    requests,
    retryAfter: 0,
    maxPageSize: 1000,
    failNext: (kind, fault, times = 1) => void faults[kind].push({ fault, remaining: times }),
    release() {
      for (const { forward } of held) forward();
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
  // /account/NAME is a table with that name; /account/Tables is the list of tables.
  return method === 'POST' && /^\/[^/]+\/(?!Tables\b)\w+$/.test(path) ? 'insert' : 'other';
}

interface Storage {
  hostname: string | undefined;
  port: string | undefined;
  agent: Agent;
  maxPageSize: number;
}

/** Forwards a request to the storage unchanged, and returns its response unless `fault` loses or delays it. */
function forwardRequest(
  incoming: IncomingMessage,
  response: ServerResponse,
  { maxPageSize, ...server }: Storage,
  { recorded, fault }: { recorded: StorageRequest; fault: StorageFault | undefined },
): void {
  const { method, url = '', rawHeaders } = incoming;
  const path = url.replace(/(?<=[?&](?:%24|\$)top=)\d+/, (top) => String(Math.min(Number(top), maxPageSize)));
  // Keeps the client's Host header, so that the server cannot tell that there is a proxy.
  const outgoing = httpRequest({ ...server, method, path, headers: rawHeaders, setHost: false });
  outgoing.once('error', () => response.destroy());
  outgoing.once('response', (answer) => {
    const status = answer.statusCode ?? 0;
    recorded.status = status;
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

function hold(held: Set<Held>, response: ServerResponse, forward: () => void): void {
  const entry: Held = { response, forward };
  held.add(entry);
  response.once('close', () => held.delete(entry));
}
