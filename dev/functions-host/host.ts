/**
 * A local replacement for the Azure Functions host (`func start`): serves a function app over HTTP in this process. Rejected:
 * calling handlers directly, which would not test the library, streaming and aborts; the real host in a container, which
 * needs Docker (docs/decisions/local-stack.md).
 */
import { existsSync, readFileSync } from 'node:fs';
import type { RequestListener, Server } from 'node:http';
import { join } from 'node:path';
import { inspect, parseArgs } from 'node:util';
import { serveAdmin } from './admin.ts';
import { type FunctionApp, loadFunctionApp } from './app.ts';
import { reportError } from './core.ts';
import { answer, serveHttp } from './http.ts';
import { createKeyCheck, randomKey } from './keys.ts';
import { codeOf, listenOnLocalhost, portOf } from './listen.ts';
import { createRouter, decodePath } from './routes.ts';

/** Options of the host. Absent keys are created at random. Requests need a key only with `enableAuth`. */
export interface FunctionsHostOptions {
  root: string;
  port: number;
  enableAuth?: boolean;
  functionKey?: string | undefined;
  masterKey?: string | undefined;
}

/** A running host. `stop()` ends the process, so its promise never resolves. */
export interface FunctionsHost {
  port: number;
  functionKey: string;
  masterKey: string;
  stop(): Promise<void>;
}

/** Messages that the program sends to its parent process. */
export type FunctionsHostMessage =
  | { type: 'ready'; port: number; functionKey: string; masterKey: string }
  | { type: 'failed'; code: string; message: string };

const STOP_WITHIN_MS = 5000;

/**
 * Loads the function app in `root` and listens on localhost. Call it once per process: an app cannot be unloaded.
 * @throws Error when a route is not supported; the system's error, with its `code`, when the port is taken.
 */
export async function startFunctionsHost(options: FunctionsHostOptions): Promise<FunctionsHost> {
  // An empty key, for example from an empty environment variable, would accept every request.
  const functionKey = options.functionKey || randomKey();
  const masterKey = options.masterKey || randomKey();
  const app = await loadFunctionApp(options.root);
  const findRoute = createRouter(app.functions, readRoutePrefix(options.root));
  const refusalOf = createKeyCheck(options.enableAuth ?? false, functionKey, masterKey);
  const inFlight = new Set<Promise<void>>();

  const serve: RequestListener = (request, response) => {
    const closed = new Promise<void>((resolve) => response.once('close', resolve));
    inFlight.add(closed);
    response.once('close', () => inFlight.delete(closed));
    const path = decodePath(request.url ?? '');
    const isAdmin = /^\/admin\//i.test(path);
    const match = isAdmin ? undefined : findRoute(request.method ?? '', path);
    if (!match && !isAdmin) return answer(response, 404);
    const refusal = refusalOf(match ? match.fn.trigger.authLevel : 'admin', request);
    if (refusal) return answer(response, refusal);
    void (match ? serveHttp(app, match, request, response) : serveAdmin(app, path, request, response));
  };

  const servers = await listenOnLocalhost(serve, options.port);
  let stopping: Promise<void> | undefined;
  const stop = () => (stopping ??= stopProcess(app, servers, inFlight));
  return { port: portOf(servers[0]), functionKey, masterKey, stop };
}

function readRoutePrefix(root: string): string {
  const file = join(root, 'host.json');
  if (!existsSync(file)) return 'api';
  const host = JSON.parse(readFileSync(file, 'utf8')) as { extensions?: { http?: { routePrefix?: string } } };
  return host.extensions?.http?.routePrefix ?? 'api';
}

/** Waits for the app's hooks and for requests in flight, then ends the process; the exit code is 1 after a failure. */
async function stopProcess(app: FunctionApp, servers: Server[], inFlight: Set<Promise<void>>): Promise<void> {
  setTimeout(exitFailed, STOP_WITHIN_MS, `The host did not stop within ${STOP_WITHIN_MS} ms.`);
  for (const server of servers) server.close();
  await app
    .terminate()
    .catch((error: unknown) => exitFailed(`A hook failed while stopping: ${inspect(error)}`));
  while (inFlight.size > 0) await Promise.all(inFlight);
  process.exit(0);
}

function exitFailed(why: string): never {
  reportError('host', why);
  process.exit(1);
}

/** The program. It is controlled from a terminal, or over IPC by a parent process. */
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
  const notifyParent = process.send?.bind(process) as
    | ((message: FunctionsHostMessage, sent?: () => void) => void)
    | undefined;
  if (notifyParent) {
    process.on('message', (message) => message === 'stop' && stop());
    process.on('disconnect', stop);
  }
  try {
    host = await startFunctionsHost({
      root: values.root,
      port: Number(values.port),
      enableAuth: values['enable-auth'],
      functionKey: process.env['FUNCTIONS_HOST_FUNCTION_KEY'],
      masterKey: process.env['FUNCTIONS_HOST_MASTER_KEY'],
    });
    const { port, functionKey, masterKey } = host;
    // Ctrl-C signals the whole process group, also the app in this process. With a parent process, the parent decides when
    // it stops.
    process.removeAllListeners('SIGINT').on('SIGINT', () => notifyParent ?? stop());
    if (notifyParent) notifyParent({ type: 'ready', port, functionKey, masterKey });
    else console.log(`Listening on http://localhost:${port}`);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    if (!notifyParent) exitFailed(message);
    // The parent process reports the message.
    notifyParent({ type: 'failed', code: codeOf(error), message }, () => process.exit(1));
  }
}

if (import.meta.main) await main();
