/** The emulator's TLS server, which speaks HTTP/2 and HTTP/1.1, and its log of connections. */
import { createSecureServer, type Http2SecureServer } from 'node:http2';
import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { Certificate } from '../stack/certificate.ts';

/** A TLS connection. */
export interface SocketRecord {
  id: number;
  protocol: 'h2' | 'h1';
  /** Chat requests that arrived on it. */
  requests: number;
  /** It went on with the TLS session of an earlier one. */
  resumed: boolean;
  open: boolean;
}

/** What the server offers its clients. */
export interface ServerOptions {
  /** Offered by ALPN, the preferred one first; both by default. */
  protocols?: ('h2' | 'http/1.1')[];
  /** Per HTTP/2 connection; no limit by default. */
  maxConcurrentStreams?: number;
}

const KEEP_ALIVE_MS = 120_000;

// Kept on the TLS socket itself: HTTP/2 requests only have a proxy of it, which passes properties on.
const RECORD = Symbol('socket record');

/** Makes the server; it does not listen yet. */
export function createServer({ key, cert }: Certificate, options: ServerOptions): Http2SecureServer {
  const { protocols = ['h2', 'http/1.1'], maxConcurrentStreams } = options;
  return createSecureServer({
    key,
    cert,
    // Not ALPNProtocols: node:http2 overwrites those.
    ALPNCallback: (client) => protocols.find((protocol) => client.protocols.includes(protocol)),
    allowHTTP1: protocols.includes('http/1.1'),
    http1Options: { keepAliveTimeout: KEEP_ALIVE_MS },
    // In MB. With Node's 10, hundreds of long answers at once would have streams refused.
    maxSessionMemory: 1000,
    ...(maxConcurrentStreams !== undefined && { settings: { maxConcurrentStreams } }),
  });
}

/** Numbers the connections, and gives those that are open, handshakes under way included. */
export function recordSockets(server: Http2SecureServer, sockets: SocketRecord[]): Set<Socket> {
  const open = new Set<Socket>();
  const track = (socket: Socket): void => {
    open.add(socket);
    socket.once('close', () => open.delete(socket));
  };
  let count = 0;
  server.on('connection', track);
  // Before the server's own listener, which may find requests at once.
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

/** Gives the record of the connection that a request came over; none when it died a moment ago. */
export const recordOf = (socket: object): SocketRecord | undefined =>
  (socket as { [RECORD]?: SocketRecord })[RECORD];
