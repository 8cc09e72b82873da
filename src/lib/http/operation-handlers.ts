/**
 * What operators call: GET /health, GET /health/ready, DELETE /cache, GET /openapi.json. Rejected for readiness: a model
 * call, which costs tokens at every check; not ready after any failed call, which removes healthy instances.
 */
import { errorBody, errors } from '../contract/errors.ts';
import type { ProcessTotals } from '../contract/metrics.ts';
import type { Health, NotReady, Ready, CacheCleared } from '../contract/responses.ts';
import type { ChatHistory } from '../history/chat-history.ts';
import type { ProcessCounters, ProcessState } from '../telemetry/process-counters.ts';
import type { ResilientModel } from '../model/resilient-model.ts';
import { json, type Reply } from './response.ts';
import type { AnswerCache } from '../cache/answer-cache.ts';

/** What `/health/ready` needs. */
export interface HealthServices {
  history: ChatHistory;
  model: ResilientModel;
  counters: ProcessCounters;
  state: ProcessState;
  warn: (message: string) => void;
}

type Readiness = Pick<NotReady, 'checks' | 'model' | 'totals'>;

/** Liveness: always 200. It checks no setting and no other service. */
export const handleHealth = async (): Promise<Reply> => json(200, { status: 'ok' } satisfies Health);

/**
 * Readiness: 200 when this instance can answer questions, otherwise 503 with the reason. It checks the settings, storage
 * and the model, but never calls the model, so that health checks cost no tokens. `services` is null when the settings
 * are invalid.
 */
export async function handleReady(services: HealthServices | null): Promise<Reply> {
  if (services === null) {
    const checks = { configuration: 'failing', storage: 'unknown', model: 'unknown' } as const;
    return notReady('configuration', { checks, totals: null });
  }
  const { state } = services;
  const [storage, model] = await Promise.all([checkStorage(services), checkModel(services)]);
  const days = state.retirements().map((retirement) => retirement.days);
  const readiness: Readiness = {
    checks: {
      configuration: 'ok',
      storage,
      model: model === 'unusable' ? 'failing' : (model ?? 'unknown'),
    },
    ...(days.length > 0 && { model: { retires_in_days: Math.min(...days) } }),
    totals: totalsOf(services),
  };
  if (storage !== 'ok') return notReady('storage', readiness);
  if (model === 'unusable') return notReady('model', readiness);
  return json(200, { status: 'ready', ...readiness } satisfies Ready);
}

function notReady(component: 'configuration' | 'storage' | 'model', readiness: Readiness): Reply {
  const error = errors.notReady(component);
  return json(error.status, { ...errorBody(error), ...readiness } satisfies NotReady);
}

/**
 * The state of the model: `unusable` while all circuit breakers are open, or no endpoint can be reached. A model that
 * failed but can be reached does not make the instance unready: without new questions its state could never recover.
 * Null before the first model call.
 */
async function checkModel({
  counters,
  model,
}: HealthServices): Promise<'ok' | 'failing' | 'unusable' | null> {
  if (model.waitMs() > 0) return 'unusable';
  if (counters.modelState === 'ok') return 'ok';
  return (await model.isReachable()) ? counters.modelState : 'unusable';
}

async function checkStorage({ history, warn }: HealthServices): Promise<'ok' | 'failing'> {
  try {
    await history.check();
    return 'ok';
  } catch (error) {
    warn(`Not ready: ${String(error)}`);
    return 'failing';
  }
}

const totalsOf = ({ counters, state }: HealthServices): ProcessTotals => ({
  ...counters.totals(),
  background_writes: state.backgroundWrites(),
});

/** What `/cache` needs. */
export interface CacheServices {
  /** Null when ANSWER_CACHE_TTL_SECONDS is 0. */
  cache: AnswerCache | null;
}

/** Clears the cache, and responds with the names of its tiers. @throws AskError when a tier could not be cleared. */
export async function handleCache({ cache }: CacheServices): Promise<Reply> {
  const failed = (await cache?.clear()) ?? [];
  if (failed.length > 0) throw errors.cacheNotCleared(failed.join(' and '));
  const cleared = [...(cache?.tiers ?? [])];
  const status = cleared.includes('redis')
    ? 'The cached answers of all instances were deleted. An instance without a connection to Redis deletes its own ' +
      'when it is connected again.'
    : 'The cached answers of this instance were deleted. Other instances keep their own until they expire. Change ' +
      'CACHE_VERSION to invalidate those too.';
  return json(200, { status, cleared } satisfies CacheCleared);
}

let document: string | undefined;

/** Responds with the OpenAPI document, which is generated once. */
export async function handleOpenApi(): Promise<Reply> {
  if (document === undefined) {
    const { openApiDocument } = await import('../contract/openapi/document.ts');
    document = JSON.stringify(openApiDocument());
  }
  const headers = { 'Content-Type': 'application/json', 'Cache-Control': 'no-cache' };
  return { status: 200, headers, body: document };
}
