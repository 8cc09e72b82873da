/** Serves HTTP requests as the real host does: by an invocation, and by forwarding to the library's own server. */
import { randomUUID } from 'node:crypto';
import { Agent, request as httpRequest } from 'node:http';
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';
import { pipeline } from 'node:stream';
import { inspect } from 'node:util';
import type { FunctionApp, Invocation } from './app.ts';
import { bindingData, bodyForBinding } from './binding-data.ts';
import { type RegisteredFunction, reportError } from './core.ts';
import { encodePath, type Match } from './routes.ts';

const TRACE_PARENT = /^00-(?!0{32})[\da-f]{32}-(?!0{16})[\da-f]{16}-[\da-f]{2}$/;
const HOP_BY_HOP = new Set(
  'connection expect host keep-alive proxy-authenticate proxy-authorization te trailer upgrade'.split(' '),
);
/** What the real host's HTTP client refuses to send in a header: everything but printable ASCII and tabs. */
const UNSENDABLE = /[^\t\x20-\x7e]/;
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
  { fn, path, params }: Match,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const id = randomUUID();
  try {
    if (!app.httpUri) throw new Error('This host needs app.setup({ enableHttpStream: true }).');
    const query = request.url?.split('?')[1] ?? '';
    const target = new URL(encodePath(path) + (query && `?${query}`), app.httpUri);
    forward(target, id, request, response);
    const { returned } = await app.invoke(fn, {
      id,
      data: {},
      triggerMetadata: bindingData(request, params, await bodyForBinding(request)),
      ...traceContext(request.headers),
    });
    // The library sends no response for a function that returns nothing.
    if (!returned) answer(response, 204);
  } catch (error) {
    answerFailure(response, fn, error);
  }
}

/**
 * The trace of an invocation: with Application Insights that of the caller, or a new one; without it there is none.
 */
function traceContext({ traceparent, tracestate }: IncomingHttpHeaders): Partial<Invocation> {
  if (!process.env['APPLICATIONINSIGHTS_CONNECTION_STRING']) return {};
  if (typeof traceparent === 'string' && TRACE_PARENT.test(traceparent))
    return { traceParent: traceparent, traceState: String(tracestate ?? '') };
  const [traceId, spanId] = [randomUUID(), randomUUID()].map((id) => id.replaceAll('-', ''));
  return { traceParent: `00-${traceId}-${spanId?.slice(16)}-00` };
}

/** Forwards the request to the library's own server and streams the response back. Both bodies are streamed. */
function forward(
  target: URL,
  invocationId: string,
  request: IncomingMessage,
  response: ServerResponse,
): void {
  const { hostname, port, pathname, search } = target;
  const headers = {
    // The real host keeps this header of a caller: src/WebJobs.Script.Grpc/Server/DefaultHttpProxyService.cs, TryAdd.
    'x-ms-invocation-id': invocationId,
    ...endToEnd(request.headers),
    'x-forwarded-host': request.headers.host ?? 'localhost',
    'x-forwarded-proto': 'http',
  };
  if (
    Object.values(headers)
      .flat()
      .some((value) => UNSENDABLE.test(value ?? ''))
  ) {
    reportError('host', 'Forwarding failed: a header has a character that is not ASCII.');
    return;
  }
  const options = { hostname, port, path: pathname + search, method: request.method, headers };
  const forwarded = httpRequest({ ...options, agent: workerAgent });
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
