/** Clients of the Model Context Protocol for tests: two versions of the official SDK, and plain HTTP requests. */
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { Client as FormerClient } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport as FormerTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { onTestFinished } from 'vitest';
import type { PerformanceMetrics } from '../../src/lib/contract/metrics.ts';
import type { AskResult } from '../../src/lib/contract/tools.ts';
import type { TestApp } from './app.ts';

/** The result of a tool. */
export interface ToolResult {
  content: { type: string; text?: string }[];
  structuredContent?: Record<string, unknown>;
  isError?: boolean;
  _meta?: Record<string, unknown>;
}

/** Options of a call. */
export interface CallOptions {
  onprogress?: (progress: { progress: number; message?: string }) => void;
  signal?: AbortSignal;
}

/** The result of `ask`, with the metrics in its `_meta`. */
export type Asked = AskResult & { performance_metrics: PerformanceMetrics };

/** What the tests use of a client of either version. */
export interface TestClient {
  protocolVersion: string | undefined;
  call: (name: string, args: object, options?: CallOptions) => Promise<ToolResult>;
  /** Asks a question. @throws Error with the text of the result when it is an error. */
  ask: (args: object, options?: CallOptions) => Promise<Asked>;
  /** The client itself, for what both versions have in common. */
  sdk: Pick<
    Client,
    | 'listTools'
    | 'listResources'
    | 'listResourceTemplates'
    | 'readResource'
    | 'complete'
    | 'listPrompts'
    | 'getPrompt'
    | 'close'
  >;
}

/** The clients by the name of what they negotiate. */
export const CLIENTS = {
  'client 2 by revision 2026-07-28': (app: TestApp, headers?: Record<string, string>) =>
    connectClient(app, 'auto', headers),
  'client 2 by revision 2025-11-25': (app: TestApp, headers?: Record<string, string>) =>
    connectClient(app, 'legacy', headers),
  'client 1 by revision 2025-11-25': connectFormerClient,
};

const INFO = { name: 'test', version: '1.0.0' };

/** Connects the client of version 2 of the SDK. With `auto` it negotiates the newest revision. */
export async function connectClient(
  app: TestApp,
  mode: 'auto' | 'legacy' = 'auto',
  headers: Record<string, string> = {},
): Promise<TestClient> {
  const client = new Client(INFO, { versionNegotiation: { mode } });
  await client.connect(new StreamableHTTPClientTransport(mcpUrl(app), { requestInit: { headers } }));
  onTestFinished(() => client.close());
  return toTestClient(client, client.getNegotiatedProtocolVersion());
}

/** Connects the client of version 1 of the SDK, which knows revision 2025-11-25 and earlier ones. */
async function connectFormerClient(app: TestApp, headers: Record<string, string> = {}): Promise<TestClient> {
  const client = new FormerClient(INFO);
  const transport = new FormerTransport(mcpUrl(app), { requestInit: { headers } });
  await client.connect(transport);
  onTestFinished(() => client.close());
  const call: TestClient['call'] = (name, args, options) =>
    client.callTool(
      { name, arguments: args as Record<string, unknown> },
      undefined,
      options as Parameters<FormerClient['callTool']>[2],
    ) as Promise<ToolResult>;
  return {
    ...toTestClient(client as unknown as Client, transport.protocolVersion),
    call,
    ask: askWith(call),
  };
}

function toTestClient(client: Client, protocolVersion: string | undefined): TestClient {
  const call: TestClient['call'] = (name, args, options = {}) =>
    client.callTool(
      { name, arguments: args as Record<string, unknown> },
      options as object,
    ) as Promise<ToolResult>;
  return { protocolVersion, call, ask: askWith(call), sdk: client };
}

const askWith =
  (call: TestClient['call']): TestClient['ask'] =>
  async (args, options) => {
    const result = await call('ask', args, options);
    if (result.isError) throw new Error(textOf(result));
    return { ...result.structuredContent, performance_metrics: metricsOf(result) } as unknown as Asked;
  };

/** The metrics of an answer. */
export const metricsOf = ({ _meta: meta }: ToolResult): unknown =>
  meta?.['azure-functions-ask/performance_metrics'];

/** The text of a result. */
export const textOf = ({ content }: ToolResult): string => content.map(({ text = '' }) => text).join('\n');

const mcpUrl = (app: TestApp): URL => new URL(`${app.url}/mcp`);

/** A JSON-RPC response. */
export interface RpcResponse {
  jsonrpc: '2.0';
  id: string | number | null;
  result?: Record<string, unknown>;
  error?: { code: number; message: string; data?: { code?: string } };
}

/** Posts a body to /mcp as a client does. A string is sent as it is. */
export function postMcp(
  app: TestApp,
  body: unknown,
  headers: Record<string, string> = {},
  init: RequestInit = {},
): Promise<Response> {
  return fetch(mcpUrl(app), {
    method: 'POST',
    headers: {
      'Content-Type': 'application/json',
      Accept: 'application/json, text/event-stream',
      ...headers,
    },
    body: typeof body === 'string' ? body : JSON.stringify(body),
    ...init,
  });
}

/** The responses in an answer of /mcp, which is JSON or a stream. */
export async function responsesIn(response: Response): Promise<RpcResponse[]> {
  const text = await response.text();
  if (response.headers.get('content-type') !== 'text/event-stream') {
    return text === '' ? [] : [JSON.parse(text) as RpcResponse];
  }
  const data = [...text.matchAll(/^data: (.+)$/gm)].map(([, json = '']) => JSON.parse(json) as RpcResponse);
  return data.filter((message) => 'result' in message || 'error' in message);
}
