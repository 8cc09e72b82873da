/** Opens the host's port on the loopback addresses. */
import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

/** As long as the real server's, so that clients rarely send a request on a connection that is about to be closed. */
const KEEP_ALIVE_MS = 130_000;
/** As the real server's: Kestrel, `MaxRequestHeadersTotalSize`. */
const MAX_HEADER_BYTES = 32 * 1024;

/** Listens on both loopback addresses, IPv4 and IPv6, and on no address that other machines can reach. */
export async function listenOnLocalhost(
  serve: RequestListener,
  port: number,
): Promise<[Server, ...Server[]]> {
  const first = await listen(serve, port, '127.0.0.1');
  try {
    return [first, await listen(serve, portOf(first), '::1')];
  } catch (error) {
    const code = codeOf(error);
    if (code === 'EADDRNOTAVAIL' || code === 'EAFNOSUPPORT') return [first];
    first.close();
    // The system chose a port that is free only on the IPv4 address.
    if (code === 'EADDRINUSE' && port === 0) return listenOnLocalhost(serve, 0);
    throw error;
  }
}

async function listen(serve: RequestListener, port: number, address: string): Promise<Server> {
  const options = { keepAliveTimeout: KEEP_ALIVE_MS, maxHeaderSize: MAX_HEADER_BYTES };
  const server = createServer(options, serve).listen(port, address);
  await once(server, 'listening');
  return server;
}

/** The port on which a server listens. */
export function portOf(server: Server): number {
  return (server.address() as AddressInfo).port;
}

/** The `code` of a system error; `FAILED` for any other error. */
export function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? 'FAILED';
}
