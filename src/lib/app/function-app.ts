/**
 * The function app as the Functions worker sees it: routes, start and stop. It is what the entry files load, so it
 * imports little; the heavy part is loaded in the background and first awaited by the first invocation.
 */
import { app, type HttpMethod, type HttpRequest, type HttpResponseInit } from '@azure/functions';
import { watchCallers } from '../http/caller.ts';
import { readConfig, readLogLevel } from '../config/config.ts';
import { errors, toAskError } from '../contract/errors.ts';
import { errorResponse } from '../http/error-response.ts';
import type { Invocation } from '../runtime/invocation.ts';
import { atLevel } from '../runtime/log.ts';
import type { Services } from './services.ts';

const REQUIRED_NODE = 24;

/** Every method is ours, so that a wrong one gets our 405; one that no function lists would be a bare 404. */
const ALL_METHODS: HttpMethod[] = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'HEAD', 'OPTIONS'];

const logLevel = readLogLevel();

app.setup({ enableHttpStream: true });
watchCallers();

const services = load();
// A rejected promise that nobody awaits yet would end the worker; each request that needs it reports it.
services.catch(() => {});

let stopped: Promise<void> | undefined;
app.hook.appTerminate(stop);
// Where the process is stopped without the Functions host, no hook runs.
process.once('SIGTERM', () => void stop().finally(() => process.exit(0)));

/**
 * Gives the services of this process.
 * @throws AskError `misconfigured` when the settings are wrong; the log has said which.
 */
export function loadServices(): Promise<Services> {
  return services;
}

/** How an HTTP function is reached. */
export interface HttpOptions {
  route: string;
  authLevel: 'anonymous' | 'function' | 'admin';
  /** Those that it answers; all others get a 405. */
  methods: HttpMethod[];
}

/**
 * Registers an HTTP function. What `handle` throws becomes an error answer; once the process stops, every request is
 * answered with `stopping`.
 */
export function httpFunction(
  name: string,
  { route, authLevel, methods }: HttpOptions,
  handle: (request: HttpRequest, invocation: Invocation) => Promise<HttpResponseInit>,
): void {
  app.http(name, {
    route,
    authLevel,
    methods: ALL_METHODS,
    handler: async (request, context) => {
      const invocation: Invocation = {
        id: context.invocationId,
        traceParent: context.traceContext?.traceParent,
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
        return errorResponse(error, invocation);
      }
    },
  });
}

/** Registers a function that runs by the clock; `schedule` has six fields, seconds first. What it throws is logged. */
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
      throw new Error(`This app needs Node ${REQUIRED_NODE} or newer, and this is ${process.version}.`);
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
