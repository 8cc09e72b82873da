/** Receives telemetry from the real exporters: OTLP over HTTP, and the ingestion API of Azure Monitor. */
import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { gunzipSync } from 'node:zlib';
import { localhostCertificate } from './certificate.ts';

/** A request with its body parsed as JSON. */
export interface Received {
  path: string;
  body: unknown;
}

/** A running receiver. */
export interface Receiver {
  url: string;
  received: Received[];
  close(): Promise<void>;
}

/**
 * Starts a receiver over TLS, which Azure Monitor's exporter requires. `answer` returns the JSON response; null
 * leaves the request unanswered. A request for which `refuse` returns a status gets it, and is not received.
 */
export async function startReceiver(
  answer: (path: string) => object | null = () => ({}),
  refuse: (authorization: string | undefined) => number | null = () => null,
): Promise<Receiver> {
  const received: Received[] = [];
  const server = createServer(await localhostCertificate(), (request, response) => {
    void receive(request, response);
  });
  async function receive(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = request.url ?? '';
    const body = await read(request);
    const refused = refuse(request.headers.authorization);
    if (refused !== null) {
      response.writeHead(refused).end();
      return;
    }
    received.push({ path, body });
    const reply = answer(path);
    if (reply) response.setHeader('Content-Type', 'application/json').end(JSON.stringify(reply));
  }
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `https://127.0.0.1:${(server.address() as AddressInfo).port}`,
    received,
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

async function read(request: IncomingMessage): Promise<unknown> {
  const bytes = Buffer.concat(await request.toArray());
  const text = (request.headers['content-encoding'] === 'gzip' ? gunzipSync(bytes) : bytes).toString();
  try {
    return JSON.parse(text);
  } catch {
    // Azure Monitor also accepts one line of JSON per item.
    return text.split('\n').map((line) => JSON.parse(line) as unknown);
  }
}
