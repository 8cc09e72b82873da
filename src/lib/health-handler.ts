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
 * Says whether this instance can answer questions: 200, or 503 and why not. It checks the settings, storage and the
 * model, which it never asks a question: a load balancer's checks cost no tokens.
 */
export async function handleReady(
  loading: Promise<Services>,
  request: HttpRequest,
): Promise<HttpResponseInit> {
  if (request.method !== 'GET') throw errors.methodNotAllowed('GET');
  const services = await loading.catch(() => null);
  const [storage, model] = services
    ? await Promise.all([checkStorage(services), checkModel(services)])
    : [null, null];
  const problem = !services
    ? errors.notReady('configuration')
    : storage !== 'ok'
      ? errors.notReady('storage')
      : model === 'unusable'
        ? errors.notReady('model')
        : null;
  const readiness: Pick<Ready, 'checks' | 'totals'> = {
    checks: {
      configuration: services ? 'ok' : 'failing',
      storage: storage ?? 'unknown',
      model: model === 'unusable' ? 'failing' : (model ?? 'unknown'),
    },
    totals: services && totalsOf(services),
  };
  const body: Ready | NotReady = problem
    ? { ...errorBody(problem), ...readiness }
    : { status: 'ready', ...readiness };
  return { status: problem?.status ?? 200, headers: { 'Cache-Control': 'no-store' }, jsonBody: body };
}

/**
 * What is known of the model: `unusable` while its endpoints are left alone, or none can be reached. A model that
 * failed and can be reached is no reason to take the instance away: without questions it could never recover.
 */
async function checkModel({ metrics, model }: Services): Promise<'ok' | 'failing' | 'unusable' | null> {
  if (model.waitMs() > 0) return 'unusable';
  if (metrics.modelState === 'ok') return 'ok';
  return (await model.isReachable()) ? metrics.modelState : 'unusable';
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
