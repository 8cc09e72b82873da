/** Serves HTTP requests: by forwarding them to the library's own server, or by passing them on as values. */
import { randomUUID } from 'node:crypto';
import { Agent, request as httpRequest } from 'node:http';
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';
import { pipeline } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { inspect } from 'node:util';
import type { FunctionApp, Invocation } from './app.ts';
import { type RegisteredFunction, reportError, type RpcHttp } from './core.ts';
import type { Match } from './routes.ts';

const TRACE_PARENT = /^00-(?!0{32})[\da-f]{32}-(?!0{16})[\da-f]{16}-[\da-f]{2}$/;
const HOP_BY_HOP = new Set(
  'connection expect host keep-alive proxy-authenticate proxy-authorization te trailer upgrade'.split(' '),
);
/**
 * The library's server closes a connection after 5 idle seconds. A request that is sent at that moment fails, so idle
 * connections are not kept for nearly as long: on a busy machine, a timer may be seconds late.
 */
const MAX_IDLE_MS = 1000;
const workerAgent = new Agent({ keepAlive: true, maxFreeSockets: 1024, timeout: MAX_IDLE_MS });

/** Ends the response without a body. A response that has started is cut off, so that the client sees the failure. */
export function answer(response: ServerResponse, status: number): void {
  if (response.writableEnded || response.destroyed) return;
  if (response.headersSent) return void response.destroy();
  response.statusCode = status;
  response.end();
}

/** Writes the reason of a function's failure to stderr; the client gets only a 500. */
export function answerFailure(response: ServerResponse, fn: RegisteredFunction, error: unknown): void {
  reportError(fn.name, `The function failed: ${inspect(error)}`);
  answer(response, 500);
}

/** Runs a function for an HTTP request and sends its response. Never rejects. */
export async function serveHttp(
  app: FunctionApp,
  { fn, params }: Match,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const invocation = httpInvocation(params, request);
  try {
    if (app.httpUri) forward(app.httpUri, invocation.id, request, response);
    else invocation.data.http = await toRpcHttp(params, request);
    const { returned, value } = await app.invoke(fn, invocation);
    if (value?.http) fromRpcHttp(value.http, response);
    // The library sends no response for a function that returns nothing.
    else if (!returned) answer(response, 204);
  } catch (error) {
    answerFailure(response, fn, error);
  }
}

/** Forwards the request to the library's own server and streams the response back. Both bodies are streamed. */
function forward(
  httpUri: string,
  invocationId: string,
  request: IncomingMessage,
  response: ServerResponse,
): void {
  const { hostname, port } = new URL(httpUri);
  const headers = {
    ...endToEnd(request.headers),
    'x-ms-invocation-id': invocationId,
    'x-forwarded-host': request.headers.host ?? 'localhost',
    'x-forwarded-proto': 'http',
  };
  const { url: path, method } = request;
  const forwarded = httpRequest({ hostname, port, path, method, headers, agent: workerAgent });
  let answered: IncomingMessage | undefined;
  forwarded.on('response', (incoming) => {
    answered = incoming;
    if (response.headersSent) {
      incoming.resume();
      return;
    }
    const { 'transfer-encoding': _, ...answerHeaders } = endToEnd(incoming.headers);
    response.writeHead(incoming.statusCode ?? 502, answerHeaders);
    pipeline(incoming, response, () => {});
  });
  forwarded.on('error', (error) => {
    if (!response.headersSent && !response.destroyed)
      reportError('host', `Forwarding failed: ${error.message}`);
    answer(response, 502);
  });
  // Like the real host's proxy: the app receives the headers before the body has arrived.
  // github.com/dotnet/yarp, src/ReverseProxy/Forwarder/StreamCopyHttpContent.cs
  forwarded.flushHeaders();
  // Not a pipeline: when an app answers before it has read the body, the client must still get the answer.
  request.pipe(forwarded);
  forwarded.once('close', () => request.resume());
  // Tells the library's server that the client has disconnected, or that the host has answered itself.
  response.once('close', () => {
    if (!answered?.complete || !forwarded.writableFinished) forwarded.destroy();
  });
}

function endToEnd(headers: IncomingHttpHeaders): IncomingHttpHeaders {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !HOP_BY_HOP.has(name)));
}

function httpInvocation(params: Record<string, string>, request: IncomingMessage): Invocation {
  const { traceparent, tracestate } = request.headers;
  const traced = typeof traceparent === 'string' && TRACE_PARENT.test(traceparent);
  const query = new URLSearchParams(request.url?.split('?')[1]);
  return {
    id: randomUUID(),
    data: {},
    triggerMetadata: {
      ...Object.fromEntries(Object.entries(params).map(([name, value]) => [name, { string: value }])),
      Headers: { json: JSON.stringify(joinedHeaders(request)) },
      Query: { json: JSON.stringify(Object.fromEntries(query)) },
    },
    ...(traced && { traceParent: traceparent, traceState: String(tracestate ?? '') }),
  };
}

function joinedHeaders(request: IncomingMessage): Record<string, string> {
  return Object.fromEntries(
    Object.entries(request.headers).map(([name, value]) => [name, [value ?? ''].flat().join(', ')]),
  );
}

async function toRpcHttp(params: Record<string, string>, request: IncomingMessage): Promise<RpcHttp> {
  const { method = 'GET', url = '/' } = request;
  return {
    method,
    url: `http://${request.headers.host ?? 'localhost'}${url}`,
    params,
    headers: joinedHeaders(request),
    body: { bytes: await buffer(request) },
  };
}

function fromRpcHttp(http: RpcHttp, response: ServerResponse): void {
  if (http.cookies?.length) throw new Error('This host supports cookies only with enableHttpStream.');
  if (response.destroyed) return;
  response.writeHead(Number(http.statusCode), http.headers).end(http.body?.bytes);
}
