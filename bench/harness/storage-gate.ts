/** A gate in front of Azurite's tables, which can throttle, lose responses, and cut every connection. */
import { once } from 'node:events';
import {
  Agent,
  createServer,
  type IncomingMessage,
  request,
  type RequestOptions,
  type ServerResponse,
} from 'node:http';
import type { AddressInfo } from 'node:net';

/**
 * - `open`: requests pass.
 * - `throttled`: every request gets the 503 ServerBusy of Table Storage
 *   (learn.microsoft.com/rest/api/storageservices/table-service-error-codes).
 * - `lossy`: storage carries out every request, but some connections break before the response arrives.
 * - `closed`: connections break, and new ones are refused, as when the process of the storage has died.
 */
export type GateMode = 'open' | 'throttled' | 'lossy' | 'closed';

/** A running gate. */
export interface StorageGate {
  port: number;
  set(mode: GateMode): Promise<void>;
}

/** Share of the responses that `lossy` loses. */
const LOST = 0.2;
const BUSY = JSON.stringify({
  'odata.error': { code: 'ServerBusy', message: { lang: 'en-US', value: 'The server is busy.' } },
});

/** Starts a gate on 127.0.0.1 in front of `target`, a port of this machine. It is open. */
export async function startStorageGate(target: number): Promise<StorageGate> {
  let mode: GateMode = 'open';
  const agent = new Agent({ keepAlive: true });
  const server = createServer((incoming, response) => {
    if (mode === 'throttled') void throttle(incoming, response);
    else forward(incoming, response, { port: target, agent }, mode === 'lossy' && Math.random() < LOST);
  });
  const listen = async (port: number): Promise<number> => {
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
    return (server.address() as AddressInfo).port;
  };
  const port = await listen(0);
  return {
    port,
    async set(next) {
      if (next === 'closed' && mode !== 'closed') {
        const closed = once(server, 'close');
        server.close();
        server.closeAllConnections();
        await closed;
      }
      if (next !== 'closed' && mode === 'closed') await listen(port);
      mode = next;
    },
  };
}

function forward(
  incoming: IncomingMessage,
  response: ServerResponse,
  target: RequestOptions,
  isLost: boolean,
): void {
  const { method, url: path, rawHeaders: headers } = incoming;
  const outgoing = request({ host: '127.0.0.1', ...target, method, path, headers, setHost: false });
  outgoing.once('error', () => response.destroy());
  outgoing.once('response', (answer) => {
    answer.once('error', () => response.destroy());
    if (isLost) answer.resume().once('end', () => response.destroy());
    else answer.pipe(response.writeHead(answer.statusCode ?? 502, answer.rawHeaders));
  });
  incoming.once('error', () => outgoing.destroy());
  incoming.pipe(outgoing);
}

async function throttle(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
  // Like Azure, reads the whole request first.
  incoming.resume();
  await once(incoming, 'end').catch(() => {});
  response.writeHead(503, { 'content-type': 'application/json', 'x-ms-error-code': 'ServerBusy' });
  response.end(BUSY);
}
