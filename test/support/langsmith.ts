/**
 * A stand-in for LangSmith's API: docs.langchain.com/langsmith/smith-api. Runs arrive as `multipart/form-data`, with parts
 * named `post.ID`, `post.ID.inputs`, `patch.ID` and so on (docs.langchain.com/langsmith/trace-with-api).
 */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { gunzipSync, zstdDecompressSync } from 'node:zlib';

/** A running stand-in. */
export interface LangSmithStandIn {
  url: string;
  /** The names and texts of the parts that were received. */
  readonly parts: [name: string, text: string][];
  /** The keys that were sent. */
  readonly keys: Set<string>;
  /** The status of its answers to runs; 202 as LangSmith's at first. */
  status: number;
  close(): Promise<void>;
}

/** Starts it on 127.0.0.1. */
export async function startLangSmithStandIn(): Promise<LangSmithStandIn> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const standIn: LangSmithStandIn = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    parts: [],
    keys: new Set(),
    status: 202,
    async close() {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const sent = await buffer(request);
    const { method, url, headers } = request;
    response.setHeader('content-type', 'application/json');
    if (method === 'GET' && url === '/info') return void response.end(JSON.stringify(INFO));
    if (method !== 'POST' || url !== '/runs/multipart') return void response.writeHead(404).end();
    standIn.keys.add(String(headers['x-api-key']));
    const body = new Uint8Array(decode(sent, headers['content-encoding']));
    const form = new Response(body, { headers: { 'content-type': headers['content-type'] ?? '' } });
    for (const [name, value] of await form.formData()) {
      standIn.parts.push([name, typeof value === 'string' ? value : await value.text()]);
    }
    return void response.writeHead(standIn.status).end('{"detail":"the text of LangSmith"}');
  };
  server.on('request', (request, response) => void handle(request, response));
  return standIn;
}

const INFO = {
  version: '0.13.5',
  batch_ingest_config: { use_multipart_endpoint: true, size_limit: 100, size_limit_bytes: 20_971_520 },
};

function decode(body: Buffer, encoding: string | undefined): Buffer {
  if (encoding === 'gzip') return gunzipSync(body);
  return encoding === 'zstd' ? zstdDecompressSync(body) : body;
}
