/**
 * The contents of the app: every route, who may call it, and what answers. A handler is imported at its first request,
 * because everything that is imported here delays each cold start.
 */
import type { Reply } from '../lib/http/response.ts';
import {
  type Handle,
  httpFunction,
  type HttpOptions,
  loadServices,
  timerFunction,
} from '../lib/app/function-app.ts';
import type { Services } from '../lib/app/services.ts';
import { readAuthLevel, readUsersBy } from '../lib/config/access-config.ts';
import type { openAiHandlers } from '../lib/openai/openai-handler.ts';
import type { usersHandlers } from '../lib/http/users-handler.ts';
import { handleCache, handleHealth, handleOpenApi, handleReady } from '../lib/http/operation-handlers.ts';

const KEY = readAuthLevel();

/** What operators ask needs a function key where the callers' own keys are not for it. */
const OPERATOR_KEY = readUsersBy() === 'keys' ? 'function' : KEY;

// The Functions host replaces an empty route with the name of the function. This route matches only the path "/".
const ROOT = '{ignored:maxlength(0)?}';

const ROUTES: Record<string, HttpOptions & { handle: Handle }> = {
  ask: { methods: ['POST'], route: 'ask', authLevel: KEY, handle: withServices(ask) },
  'chat-completions': {
    methods: ['POST'],
    route: 'v1/chat/completions',
    authLevel: KEY,
    handle: withServices(openAi('chatCompletions')),
    loadErrorResponse: openAiErrorResponse,
  },
  responses: {
    methods: ['POST'],
    route: 'v1/responses',
    authLevel: KEY,
    handle: withServices(openAi('responses')),
    loadErrorResponse: openAiErrorResponse,
  },
  models: {
    methods: ['GET'],
    route: 'v1/models',
    authLevel: KEY,
    handle: withServices(openAi('models')),
    loadErrorResponse: openAiErrorResponse,
  },
  model: {
    methods: ['GET'],
    route: 'v1/models/{*model}',
    authLevel: KEY,
    handle: withServices(openAi('model')),
    loadErrorResponse: openAiErrorResponse,
  },
  mcp: { methods: ['POST', 'OPTIONS'], route: 'mcp', authLevel: KEY, handle: imported(mcp) },

  sessions: { methods: ['GET'], route: 'sessions', authLevel: KEY, handle: withServices(sessions) },
  session: {
    methods: ['GET', 'DELETE'],
    route: 'sessions/{session_id}',
    authLevel: KEY,
    handle: withServices(session),
  },
  copy: {
    methods: ['POST'],
    route: 'sessions/{session_id}/copy',
    authLevel: KEY,
    handle: withServices(copy),
  },
  answer: {
    methods: ['GET', 'DELETE'],
    route: 'sessions/{session_id}/answers/{key}',
    authLevel: KEY,
    handle: withServices(answer),
  },

  me: { methods: ['DELETE'], route: 'users/me', authLevel: KEY, handle: withServices(users('eraseMe')) },
  'me-export': {
    methods: ['GET'],
    route: 'users/me/export',
    authLevel: KEY,
    handle: withServices(users('exportMe')),
  },
  user: {
    methods: ['DELETE'],
    route: 'users/{name}',
    authLevel: 'admin',
    handle: withServices(users('eraseUser')),
  },
  'user-export': {
    methods: ['GET'],
    route: 'users/{name}/export',
    authLevel: 'admin',
    handle: withServices(users('exportUser')),
  },

  cache: {
    methods: ['DELETE'],
    route: 'cache',
    authLevel: 'admin',
    handle: withServices(async () => handleCache),
  },

  health: { methods: ['GET'], route: 'health', authLevel: 'anonymous', handle: handleHealth },
  'health-ready': { methods: ['GET'], route: 'health/ready', authLevel: OPERATOR_KEY, handle: ready },
  openapi: { methods: ['GET'], route: 'openapi.json', authLevel: 'anonymous', handle: handleOpenApi },

  page: { methods: ['GET', 'HEAD'], route: ROOT, authLevel: 'anonymous', handle: imported(page) },
  asset: {
    methods: ['GET', 'HEAD'],
    route: 'assets/{name}',
    authLevel: 'anonymous',
    handle: imported(asset),
  },
};

for (const [name, { handle, ...options }] of Object.entries(ROUTES)) httpFunction(name, options, handle);

// Once an hour at minute 23, because many other timers run at round times.
timerFunction('purge-sessions', '0 23 * * * *', async (log) => {
  const [services, { runPurge }] = await Promise.all([loadServices(), import('../lib/history/purge.ts')]);
  await services.erasures.resume(log);
  await runPurge(services, log);
});

/**
 * Calls the handler that `load` gives, which is called once: an import of a loaded module takes time too. It is called again
 * after a failure, such as a file that could not be read: the route must not fail for as long as the process lives.
 */
function imported(load: () => Promise<Handle>): Handle {
  let loading: Promise<Handle> | undefined;
  return async (request, invocation) => {
    loading ??= load().catch((error: unknown) => {
      loading = undefined;
      throw error;
    });
    const handle = await loading;
    return handle(request, invocation);
  };
}

type ServedHandle = (services: Services, ...request: Parameters<Handle>) => Promise<Reply>;

/** The same for a handler that needs the services, which are loaded at the same time. */
function withServices(load: () => Promise<ServedHandle>): Handle {
  return imported(async () => {
    const [handle, services] = await Promise.all([load(), loadServices()]);
    return (...request) => handle(services, ...request);
  });
}

async function ask() {
  const { handleAsk } = await import('../lib/http/ask-handler.ts');
  return handleAsk;
}

function openAi(operation: keyof typeof openAiHandlers) {
  return async () => {
    const { openAiHandlers } = await import('../lib/openai/openai-handler.ts');
    return openAiHandlers[operation];
  };
}

async function openAiErrorResponse() {
  const module = await import('../lib/openai/openai-handler.ts');
  return module.openAiErrorResponse;
}

async function mcp() {
  const [{ createMcpEndpoint }, services] = await Promise.all([
    import('../lib/mcp/mcp-handler.ts'),
    loadServices(),
  ]);
  return createMcpEndpoint(services);
}

async function sessions() {
  const { handleSessions } = await import('../lib/http/sessions-handler.ts');
  return handleSessions;
}

async function session() {
  const { handleSession } = await import('../lib/http/sessions-handler.ts');
  return handleSession;
}

async function copy() {
  const { handleCopy } = await import('../lib/http/sessions-handler.ts');
  return handleCopy;
}

function users(operation: keyof typeof usersHandlers) {
  return async () => {
    const { usersHandlers } = await import('../lib/http/users-handler.ts');
    return usersHandlers[operation];
  };
}

async function answer() {
  const { handleAnswer } = await import('../lib/http/answers-handler.ts');
  return handleAnswer;
}

/** Invalid settings are reported in the response instead of an error. */
async function ready() {
  return handleReady(await loadServices().catch(() => null));
}

async function page(): Promise<Handle> {
  const { handlePage } = await import('../lib/http/page-handler.ts');
  return (request) => handlePage(request, readUsersBy());
}

async function asset() {
  const { handleAsset } = await import('../lib/http/page-handler.ts');
  return handleAsset;
}
