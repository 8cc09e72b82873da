/** A stand-in for the Azure Functions host (`func start`): an HTTP front for a function app in this process. */
import { createHash, randomBytes, randomUUID, timingSafeEqual } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { IncomingMessage, RequestListener, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { inspect, parseArgs } from 'node:util';
import { type FunctionApp, loadFunctionApp } from './app.ts';
import { type Binding, reportError } from './core.ts';
import { answer, answerFailure, serveHttp } from './http.ts';
import { createRouter, decodePath } from './routes.ts';

/** What the host needs to know. Absent keys are made at random; requests need one only with `enableAuth`. */
export interface FunctionsHostOptions {
  root: string;
  port: number;
  enableAuth?: boolean;
  functionKey?: string | undefined;
  masterKey?: string | undefined;
}

/** A host that listens. `stop()` ends the process, so it never resolves. */
export interface FunctionsHost {
  port: number;
  functionKey: string;
  masterKey: string;
  stop(): Promise<void>;
}

/** What the program tells its parent process. */
export type FunctionsHostMessage =
  | { type: 'ready'; port: number; functionKey: string; masterKey: string }
  | { type: 'failed'; code: string; message: string };

const STOP_WITHIN_MS = 5000;
/** As long as the real server's, so that clients seldom meet a connection that is just being closed. */
const KEEP_ALIVE_MS = 130_000;

/**
 * Loads the function app in `root` and listens on localhost. Once per process, since an app cannot be unloaded.
 * @throws when a route is not supported, or with the system's `code` when the port is taken.
 */
export async function startFunctionsHost(options: FunctionsHostOptions): Promise<FunctionsHost> {
  // An empty key, as from an empty variable, would let everyone in.
  const functionKey = options.functionKey || randomKey();
  const masterKey = options.masterKey || randomKey();
  const app = await loadFunctionApp(options.root);
  const findRoute = createRouter(app.functions, readRoutePrefix(options.root));
  const isAllowed = createKeyCheck(options.enableAuth ?? false, functionKey, masterKey);
  const underWay = new Set<Promise<void>>();

  const serve: RequestListener = (request, response) => {
    const closed = new Promise<void>((resolve) => response.once('close', resolve));
    underWay.add(closed);
    response.once('close', () => underWay.delete(closed));
    const path = decodePath(request.url ?? '');
    const isAdmin = /^\/admin\//i.test(path);
    const match = isAdmin ? undefined : findRoute(request.method ?? '', path);
    if (!match && !isAdmin) return answer(response, 404);
    if (!isAllowed(match ? match.fn.trigger.authLevel : 'admin', request)) return answer(response, 401);
    void (match ? serveHttp(app, match, request, response) : serveAdmin(app, path, request, response));
  };

  const servers = await listenOnLocalhost(serve, options.port);
  let stopping: Promise<void> | undefined;
  const stop = () => (stopping ??= stopProcess(app, servers, underWay));
  return { port: portOf(servers[0]), functionKey, masterKey, stop };
}

function readRoutePrefix(root: string): string {
  const file = join(root, 'host.json');
  if (!existsSync(file)) return 'api';
  const host = JSON.parse(readFileSync(file, 'utf8')) as { extensions?: { http?: { routePrefix?: string } } };
  return host.extensions?.http?.routePrefix ?? 'api';
}

function randomKey(): string {
  return randomBytes(32).toString('base64url');
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

function createKeyCheck(enabled: boolean, functionKey: string, masterKey: string) {
  const [functionDigest, masterDigest] = [digest(functionKey), digest(masterKey)];
  return (level: Binding['authLevel'], request: IncomingMessage): boolean => {
    if (!enabled || level === 'anonymous') return true;
    const query = new URLSearchParams(request.url?.split('?')[1]);
    const given = digest(String(request.headers['x-functions-key'] ?? query.get('code') ?? ''));
    return (
      timingSafeEqual(given, masterDigest) || (level !== 'admin' && timingSafeEqual(given, functionDigest))
    );
  };
}

async function serveAdmin(
  app: FunctionApp,
  path: string,
  request: IncomingMessage,
  response: ServerResponse,
) {
  if (request.method === 'GET' && /^\/admin\/host\/status$/i.test(path)) {
    response.setHeader('content-type', 'application/json').end(JSON.stringify({ state: 'Running' }));
    return;
  }
  const name = request.method === 'POST' && /^\/admin\/functions\/([^/]+)$/i.exec(path)?.[1]?.toLowerCase();
  const fn = app.functions.find((each) => each.name.toLowerCase() === name);
  if (!fn || /^httptrigger$/i.test(fn.trigger.type)) return answer(response, 404);
  const input = /^timertrigger$/i.test(fn.trigger.type) ? timerInput() : {};
  try {
    // The real host answers before the function has run; callers of this one want to know how it went.
    await app.invoke(fn, { id: randomUUID(), data: { json: JSON.stringify(input) } });
    answer(response, 202);
  } catch (error) {
    answerFailure(response, fn, error);
  }
}

function timerInput() {
  const now = new Date().toISOString();
  const ScheduleStatus = { Last: now, Next: now, LastUpdated: now };
  return { Schedule: { AdjustForDST: true }, ScheduleStatus, IsPastDue: false };
}

/** Both addresses of localhost, and never one that other machines can reach. */
async function listenOnLocalhost(serve: RequestListener, port: number): Promise<[Server, ...Server[]]> {
  const first = await listen(serve, port, '127.0.0.1');
  try {
    return [first, await listen(serve, portOf(first), '::1')];
  } catch (error) {
    const code = codeOf(error);
    if (code === 'EADDRNOTAVAIL' || code === 'EAFNOSUPPORT') return [first];
    first.close();
    // The system chose a port that is free only on the first address.
    if (code === 'EADDRINUSE' && port === 0) return listenOnLocalhost(serve, 0);
    throw error;
  }
}

async function listen(serve: RequestListener, port: number, address: string): Promise<Server> {
  const server = createServer({ keepAliveTimeout: KEEP_ALIVE_MS }, serve).listen(port, address);
  await once(server, 'listening');
  return server;
}

function portOf(server: Server): number {
  return (server.address() as AddressInfo).port;
}

function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? 'FAILED';
}

/** Lets the app's hooks and the requests under way finish, then ends the process: with 1 when something went wrong. */
async function stopProcess(app: FunctionApp, servers: Server[], underWay: Set<Promise<void>>): Promise<void> {
  setTimeout(exitFailed, STOP_WITHIN_MS, `Not stopped within ${STOP_WITHIN_MS} ms.`);
  for (const server of servers) server.close();
  await app
    .terminate()
    .catch((error: unknown) => exitFailed(`A hook failed while stopping: ${inspect(error)}`));
  while (underWay.size > 0) await Promise.all(underWay);
  process.exit(0);
}

function exitFailed(why: string): never {
  reportError('host', why);
  process.exit(1);
}

/** The program: leads itself on a terminal, or follows a parent process over IPC. */
async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      root: { type: 'string', default: '.' },
      port: { type: 'string', default: '7071' },
      'enable-auth': { type: 'boolean', default: false },
    },
  });
  let host: FunctionsHost | undefined;
  const stop = () => void (host ? host.stop() : process.exit(0));
  const tell = process.send?.bind(process) as
    | ((message: FunctionsHostMessage, sent?: () => void) => void)
    | undefined;
  if (tell) {
    process.on('message', (message) => message === 'stop' && stop());
    process.on('disconnect', stop);
  }
  // Ctrl-C reaches the whole process group; a parent then decides when this process stops.
  process.on('SIGINT', () => tell ?? stop());
  try {
    host = await startFunctionsHost({
      root: values.root,
      port: Number(values.port),
      enableAuth: values['enable-auth'],
      functionKey: process.env['FUNCTIONS_HOST_FUNCTION_KEY'],
      masterKey: process.env['FUNCTIONS_HOST_MASTER_KEY'],
    });
    const { port, functionKey, masterKey } = host;
    if (tell) tell({ type: 'ready', port, functionKey, masterKey });
    else console.log(`Listening on http://localhost:${port}`);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    if (!tell) exitFailed(message);
    tell({ type: 'failed', code: codeOf(error), message }, () => exitFailed(message));
  }
}

if (import.meta.main) await main();
