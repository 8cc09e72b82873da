/** A network in front of Azurite's tables, for tests: it sees every request, and answers can fail, hang or get lost. */
import { once } from 'node:events';
import { Agent, createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { inject } from 'vitest';

/** `query` reads entities, `insert` adds one; `other` is the rest, creating a table for example. */
export type StorageRequestKind = 'query' | 'insert' | 'other';

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
 * client learns of it.
 */
export type StorageFault = 'throttle' | 'hold' | 'lose';

/** A running proxy. */
export interface StorageProxy {
  /** For the settings of an app. */
  readonly connectionString: string;
  /** In order of arrival. */
  readonly requests: StorageRequest[];
  /** The header `Retry-After` of throttled answers, in seconds; 0 by default. */
  retryAfter: number;
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
    insert: [],
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
    const forward = () => passOn(incoming, response, { hostname, port, agent }, seen, fault === 'lose');
    if (fault === 'throttle') throttle(incoming, response, seen, proxy.retryAfter);
    else if (fault === 'hold') hold(held, response, forward);
    else forward();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');

  const proxy: StorageProxy = {
    connectionString: storage.replace(host, `127.0.0.1:${(server.address() as AddressInfo).port}`),
    requests,
    retryAfter: 0,
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
  // /account/table, or /account/Tables for the tables themselves.
  const isTable = /^\/[^/]+\/(?!Tables\b)\w+$/.test(path.split('?', 1)[0] ?? '');
  const kind = method === 'GET' ? 'query' : method === 'POST' && isTable ? 'insert' : 'other';
  return { method, path, kind, status: null };
}

/** Sends a request to the storage as it came, and its answer back, or breaks the connection in its place. */
function passOn(
  incoming: IncomingMessage,
  response: ServerResponse,
  storage: { hostname: string | undefined; port: string | undefined; agent: Agent },
  seen: StorageRequest,
  lose: boolean,
): void {
  const { method, url: path, rawHeaders } = incoming;
  // The host that the client sent goes on, too: the storage is to notice nothing.
  const outgoing = request({ ...storage, method, path, headers: rawHeaders, setHost: false });
  outgoing.once('error', () => response.destroy());
  outgoing.once('response', (answer) => {
    const status = answer.statusCode ?? 0;
    seen.status = status;
    answer.once('error', () => response.destroy());
    if (lose) {
      answer.resume().once('end', () => response.destroy());
    } else {
      response.writeHead(status, answer.rawHeaders);
      answer.pipe(response);
    }
  });
  incoming.pipe(outgoing);
}

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
