/**
 * The function app as the Functions worker sees it: registration of functions, start and stop. It imports little,
 * because its import delays a cold start. The services are imported in the background, and the first invocation awaits
 * them.
 */
import { app, type InvocationContext, type HttpMethod } from '@azure/functions';
import { readConfig, readLogLevel } from '../config/config.ts';
import { errors, toAskError } from '../contract/errors.ts';
import { errorResponse, type Reply } from '../http/response.ts';
import { RawRequest } from '../http/raw-request.ts';
import { atLevel, type Invocation } from '../common/log.ts';
import { useRawRequests } from './programming-model.ts';
import type { Services } from './services.ts';

const REQUIRED_NODE = 24;

/** Functions are registered for every method, so that a wrong method gets our 405 instead of the host's bare 404. */
const ALL_METHODS: HttpMethod[] = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'HEAD', 'OPTIONS'];

/** w3.org/TR/trace-context: neither id may consist of zeros. */
const TRACE_PARENT = /^00-(?!0{32})[\da-f]{32}-(?!0{16})[\da-f]{16}-[\da-f]{2}$/;

const logLevel = readLogLevel();

app.setup({ enableHttpStream: true });

const services = load();
// An unhandled rejection would end the worker. Each request that needs the services reports the error.
services.catch(() => {});

let stopped: Promise<void> | undefined;
app.hook.appTerminate(stop);
// The hook above runs late or not at all: on SIGINT, the host first waits up to 30 s for open streams.
for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  process.once(signal, () => void stop().finally(() => process.exit(0)));
}

/**
 * Gives the services of this process.
 * @throws AskError `misconfigured` when the settings are invalid. The log names the settings.
 */
export function loadServices(): Promise<Services> {
  return services;
}

/** The route of an HTTP function. */
export interface HttpOptions {
  route: string;
  authLevel: 'anonymous' | 'function' | 'admin';
  /** Allowed methods. Others get a 405. */
  methods: HttpMethod[];
  /** Gives the form of the errors; by default that of all routes. */
  loadErrorResponse?: () => Promise<typeof errorResponse>;
}

/** Answers the requests of a route. */
export type Handle = (request: RawRequest, invocation: Invocation) => Reply | Promise<Reply>;

/**
 * Registers an HTTP function. An error that `handle` throws becomes an error response. Once the process is stopping,
 * every request gets the error `stopping`.
 */
export function httpFunction(name: string, options: HttpOptions, handle: Handle): void {
  const { route, authLevel, methods, loadErrorResponse } = options;
  app.http(name, {
    route,
    authLevel,
    methods: ALL_METHODS,
    handler: async (input, context) => {
      // The type is that of the library's request, which the programming model has replaced.
      const request: unknown = input;
      if (!(request instanceof RawRequest)) throw new TypeError('The function did not get a raw request.');
      const invocation: Invocation = {
        id: context.invocationId,
        traceParent: traceParentOf(request, context),
        startedAt: performance.now(),
        log: atLevel(logLevel, context),
      };
      try {
        if (stopped) throw errors.stopping();
        if (!methods.some((method) => method === request.method)) {
          throw errors.methodNotAllowed(methods.join(', '));
        }
        return await handle(request, invocation);
      } catch (thrown) {
        const error = toAskError(thrown);
        if (error.code === 'internal_error') context.error(error.code, error.cause);
        const respond = (await loadErrorResponse?.()) ?? errorResponse;
        return respond(error, invocation);
      }
    },
  });
  useRawRequests();
}

/** The trace of the host, which has none without Application Insights; then that of the caller, if it is valid. */
function traceParentOf(request: RawRequest, { traceContext }: InvocationContext): string | undefined {
  const given = request.header('traceparent') ?? '';
  return traceContext?.traceParent || (TRACE_PARENT.test(given) ? given : undefined);
}

/** Registers a timer function. `schedule` is a cron expression with six fields, seconds first. The host logs errors. */
export function timerFunction(
  name: string,
  schedule: string,
  handle: (log: Invocation['log']) => Promise<void>,
): void {
  app.timer(name, { schedule, handler: (_, context) => handle(atLevel(logLevel, context)) });
}

async function load(): Promise<Services> {
  try {
    if (Number.parseInt(process.versions.node, 10) < REQUIRED_NODE) {
      throw new Error(`This app needs Node ${REQUIRED_NODE} or newer, but runs on ${process.version}.`);
    }
    const config = readConfig();
    const { createServices } = await import('./services.ts');
    return await createServices(config);
  } catch (error) {
    console.error(`misconfigured: ${error instanceof Error ? error.message : String(error)}`);
    throw errors.misconfigured(error);
  }
}

function stop(): Promise<void> {
  stopped ??= services.then(
    (running) => running.stop(),
    () => {},
  );
  return stopped;
}
