/** The emulator's TLS server for HTTP/2 and HTTP/1.1, and its record of connections. */
import { createSecureServer, type Http2SecureServer } from 'node:http2';
import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { Certificate } from '../stack/certificate.ts';

/** The record of a TLS connection. */
export interface SocketRecord {
  id: number;
  protocol: 'h2' | 'h1';
  /** Chat requests that arrived on it. */
  requests: number;
  /** It resumed the TLS session of an earlier connection. */
  resumed: boolean;
  open: boolean;
}

/** What the server offers its clients. */
export interface ServerOptions {
  /** Protocols offered in ALPN, the preferred one first; both by default. */
  protocols?: ('h2' | 'http/1.1')[];
  /** Limit of each HTTP/2 connection; none by default. */
  maxConcurrentStreams?: number;
}

const KEEP_ALIVE_MS = 120_000;

// Stored on the TLS socket: HTTP/2 requests expose only a proxy of the socket, which forwards properties.
const RECORD = Symbol('socket record');

/** Creates the server, which does not listen yet. */
export function createServer({ key, cert }: Certificate, options: ServerOptions): Http2SecureServer {
  const { protocols = ['h2', 'http/1.1'], maxConcurrentStreams } = options;
  return createSecureServer({
    key,
    cert,
    // ALPNProtocols cannot be used: node:http2 overwrites it.
    ALPNCallback: (client) => protocols.find((protocol) => client.protocols.includes(protocol)),
    allowHTTP1: protocols.includes('http/1.1'),
    http1Options: { keepAliveTimeout: KEEP_ALIVE_MS },
    // In MB. With Node's default of 10, hundreds of long concurrent answers cause refused streams.
    maxSessionMemory: 1000,
    ...(maxConcurrentStreams !== undefined && { settings: { maxConcurrentStreams } }),
  });
}

/** Records each connection in `sockets`. Returns the set of open sockets, including those in the TLS handshake. */
export function recordSockets(server: Http2SecureServer, sockets: SocketRecord[]): Set<Socket> {
  const open = new Set<Socket>();
  const track = (socket: Socket): void => {
    open.add(socket);
    socket.once('close', () => open.delete(socket));
  };
  let count = 0;
  server.on('connection', track);
  // Runs before the server's own listener, which may receive requests immediately.
  server.prependListener('secureConnection', (socket: TLSSocket) => {
    const protocol = socket.alpnProtocol === 'h2' ? 'h2' : 'h1';
    const resumed = socket.isSessionReused();
    const record: SocketRecord = { id: ++count, protocol, requests: 0, resumed, open: true };
    sockets.push(Object.assign(socket, { [RECORD]: record })[RECORD]);
    socket.once('close', () => (record.open = false));
    track(socket);
  });
  return open;
}

/** Returns the record of a request's connection; undefined when the connection has just closed. */
export const recordOf = (socket: object): SocketRecord | undefined =>
  (socket as { [RECORD]?: SocketRecord })[RECORD];
