/** A TCP proxy for tests and benchmarks that can add latency and silently drop traffic. */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

/** A running proxy. */
export interface TcpProxy {
  readonly port: number;
  /** Number of connections so far. */
  readonly connections: number;
  /** Drops all further data on the open connections, without closing them. New connections work. */
  silence(): void;
  close(): Promise<void>;
}

/**
 * Forwards to `port` of this machine. `delayMs` is added in each direction, so twice to a round trip. `ownPort` is where it
 * listens: by default at a free one.
 */
export async function startTcpProxy(port: number, delayMs = 0, ownPort = 0): Promise<TcpProxy> {
  const open = new Set<Link>();
  let connections = 0;
  const server = createServer((client) => {
    connections++;
    const link = new Link(client, connect(port, '127.0.0.1'), delayMs);
    open.add(link);
    client.once('close', () => open.delete(link));
  });
  server.listen(ownPort, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    get connections() {
      return connections;
    },
    silence() {
      for (const link of open) link.silent = true;
    },
    async close() {
      server.close();
      for (const link of open) link.destroy();
      await once(server, 'close');
    },
  };
}

/** One connection through the proxy. */
class Link {
  silent = false;
  readonly #sockets: [Socket, Socket];

  constructor(client: Socket, server: Socket, delayMs: number) {
    this.#sockets = [client, server];
    for (const socket of this.#sockets) {
      socket.setNoDelay(true);
      // The `close` listener below closes the other side.
      socket.on('error', () => {});
    }
    this.#forward(server, client, delayMs);
    // Delays the first data by the round trip of the TCP handshake, which is over at once on the loopback interface.
    client.pause();
    setTimeout(() => {
      this.#forward(client, server, delayMs);
      client.resume();
    }, 2 * delayMs);
  }

  #forward(from: Socket, to: Socket, delayMs: number): void {
    const later = async (act: () => void): Promise<void> => {
      // Keeps the order: timers with the same delay fire in the order in which they were set.
      if (delayMs > 0) await delay(delayMs);
      if (!this.silent) act();
    };
    from.on('data', (chunk) => void later(() => to.write(chunk)));
    from.once('close', () => void later(() => to.destroy()));
  }

  destroy(): void {
    for (const socket of this.#sockets) socket.destroy();
  }
}
