/** A round-robin HTTP balancer for tests and benchmarks, in place of the load balancer of Azure. */
import { once } from 'node:events';
import { Agent, createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';

/** A running balancer. */
export interface Balancer {
  url: string;
  close(): Promise<void>;
}

/**
 * Forwards requests to the addresses in turn, and streams their responses. A target that refuses the connection is
 * skipped. When a target fails later, the caller's connection is closed, because the request may have been carried out.
 */
export async function startBalancer(targets: readonly string[]): Promise<Balancer> {
  const agent = new Agent({ keepAlive: true });
  let next = 0;

  async function forward(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await buffer(incoming);
    for (let attempt = 1; ; attempt++) {
      const upstream = request(new URL(incoming.url ?? '/', targets[next++ % targets.length]), {
        agent,
        method: incoming.method,
        headers: incoming.headers,
      });
      response.once('close', () => upstream.destroy());
      try {
        upstream.end(body);
        const [answer] = (await once(upstream, 'response')) as [IncomingMessage];
        upstream.on('error', () => {});
        response.writeHead(answer.statusCode ?? 502, answer.headers);
        return await pipeline(answer, response);
      } catch (error) {
        const isRefused = (error as NodeJS.ErrnoException).code === 'ECONNREFUSED';
        if (!isRefused || attempt === targets.length) throw error;
      }
    }
  }

  const server = createServer((incoming, response) => {
    forward(incoming, response).catch(() => response.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async close() {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
      agent.destroy();
    },
  };
}
