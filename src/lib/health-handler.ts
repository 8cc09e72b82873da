/** GET /health and GET /health/ready. */
import type { HttpRequest, HttpResponseInit } from '@azure/functions';
import type { Health, NotReady, ProcessTotals, Ready } from './contract.ts';
import { errorBody, errors } from './errors.ts';
import type { Services } from './services.ts';

/** Says that the process lives. It asks nobody, so it holds even when the settings are wrong. */
export async function handleHealth(request: HttpRequest): Promise<HttpResponseInit> {
  if (request.method !== 'GET') throw errors.methodNotAllowed('GET');
  return {
    status: 200,
    headers: { 'Cache-Control': 'no-store' },
    jsonBody: { status: 'ok' } satisfies Health,
  };
}

/**
 * Says whether this instance can answer questions: 200, or 503 and why not. It checks the settings and storage, and
 * tells what became of the newest model call; it never makes one.
 */
export async function handleReady(
  loading: Promise<Services>,
  request: HttpRequest,
): Promise<HttpResponseInit> {
  if (request.method !== 'GET') throw errors.methodNotAllowed('GET');
  const services = await loading.catch(() => null);
  const storage = services && (await checkStorage(services));
  const problem = !services
    ? errors.notReady('configuration')
    : storage !== 'ok'
      ? errors.notReady('storage')
      : null;
  const readiness: Pick<Ready, 'checks' | 'totals'> = {
    checks: {
      configuration: services ? 'ok' : 'failing',
      storage: storage ?? 'unknown',
      // No reason not to be ready: an instance that gets no questions could never find out that the model is back.
      model: services?.metrics.modelState ?? 'unknown',
    },
    totals: services && totalsOf(services),
  };
  const body: Ready | NotReady = problem
    ? { ...errorBody(problem), ...readiness }
    : { status: 'ready', ...readiness };
  return { status: problem?.status ?? 200, headers: { 'Cache-Control': 'no-store' }, jsonBody: body };
}

async function checkStorage({ history, warn }: Services): Promise<'ok' | 'failing'> {
  try {
    await history.check();
    return 'ok';
  } catch (error) {
    warn(`Not ready: ${String(error)}`);
    return 'failing';
  }
}

/** What this process did so far. */
const totalsOf = ({ metrics, state }: Services): ProcessTotals => ({
  ...metrics.totals(),
  background_writes: state.backgroundWrites(),
});
