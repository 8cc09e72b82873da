/** GET /health and GET /health/ready. */
import type { HttpResponseInit } from '@azure/functions';
import { errorBody, errors } from '../contract/errors.ts';
import type { ProcessTotals } from '../contract/metrics.ts';
import type { Health, NotReady, Ready } from '../contract/responses.ts';
import type { ChatHistory } from '../history/chat-history.ts';
import type { ProcessMetrics, ProcessState } from '../metrics/process-metrics.ts';
import type { ResilientModel } from '../model/resilient-model.ts';
import { json } from './json-response.ts';

/** What `/health/ready` needs. */
export interface HealthServices {
  history: ChatHistory;
  model: ResilientModel;
  metrics: ProcessMetrics;
  state: ProcessState;
  warn: (message: string) => void;
}

/** Says that the process lives. It asks no other service, so it holds even when the settings are wrong. */
export const handleHealth = async (): Promise<HttpResponseInit> =>
  json(200, { status: 'ok' } satisfies Health);

/**
 * Says whether this instance can answer questions: 200, or 503 and why not. It checks the settings, storage and the
 * model, which it never asks a question: a load balancer's checks cost no tokens. `services` is null when the settings
 * are wrong.
 */
export async function handleReady(services: HealthServices | null): Promise<HttpResponseInit> {
  if (services === null) {
    const checks = { configuration: 'failing', storage: 'unknown', model: 'unknown' } as const;
    return notReady('configuration', { checks, totals: null });
  }
  const [storage, model] = await Promise.all([checkStorage(services), checkModel(services)]);
  const readiness: Pick<Ready, 'checks' | 'totals'> = {
    checks: {
      configuration: 'ok',
      storage,
      model: model === 'unusable' ? 'failing' : (model ?? 'unknown'),
    },
    totals: totalsOf(services),
  };
  if (storage !== 'ok') return notReady('storage', readiness);
  if (model === 'unusable') return notReady('model', readiness);
  return json(200, { status: 'ready', ...readiness } satisfies Ready);
}

function notReady(
  what: 'configuration' | 'storage' | 'model',
  readiness: Pick<NotReady, 'checks' | 'totals'>,
): HttpResponseInit {
  const error = errors.notReady(what);
  return json(error.status, { ...errorBody(error), ...readiness } satisfies NotReady);
}

/**
 * What is known of the model: `unusable` while its endpoints are left alone, or none can be reached. A model that
 * failed and can be reached is no reason to take the instance away: without questions it could never recover.
 */
async function checkModel({ metrics, model }: HealthServices): Promise<'ok' | 'failing' | 'unusable' | null> {
  if (model.waitMs() > 0) return 'unusable';
  if (metrics.modelState === 'ok') return 'ok';
  return (await model.isReachable()) ? metrics.modelState : 'unusable';
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

/** What this process did so far. */
const totalsOf = ({ metrics, state }: HealthServices): ProcessTotals => ({
  ...metrics.totals(),
  background_writes: state.backgroundWrites(),
});
