/**
 * The model with fallback endpoints, retries and a concurrency limit. Rejected: the retry of cockatiel, which does not
 * stop waiting when it is aborted (docs/decisions/model-faults.md).
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { BaseCallbackHandler } from '@langchain/core/callbacks/base';
import pRetry from 'p-retry';
import type { EndpointConfig, ModelConfig } from '../config/config.ts';
import { endpointName } from '../config/model-endpoints.ts';
import { errors } from '../contract/errors.ts';
import type { HttpClient } from '../pool/http-client.ts';
import { untilAborted } from '../common/pending-work.ts';
import { createApiClient, type Credential, warmUpUrl } from './api-client.ts';
import { Bulkhead } from './guards.ts';
import type { CallContext, CallRecord, Completion, ModelTarget } from './completion.ts';
import { createTokenProvider } from './credential.ts';
import { isRetryable, ModelEndpoint } from './endpoint.ts';
import { isDeploymentGone } from './model-errors.ts';
import { readRetirementDates, RetirementWatch } from './retirement-watch.ts';
import { type ModelOverrides, parametersFor } from './parameters.ts';
import { paid } from './paid-attempt.ts';
import { PooledChatModel } from './pooled-chat-model.ts';
import { type Attempt, withSecondAttempt } from './second-attempt.ts';

/** Attempts for one call, on all endpoints together. */
const MAX_ATTEMPTS = 3;
/** The second attempt at an endpoint waits 250 to 500 ms, the third twice as long. */
const BACKOFF_MS = 250;
/** Shorter waits for the end of a rate limit are not worth a message. */
const TOLD_WAIT_MS = 1000;

/** The model with fallback endpoints, retries and a concurrency limit. */
export interface ResilientModel {
  /** Calls the model, and records the call. @throws AskError without a usable answer, or the reason of the signal as soon as it aborts. */
  complete(call: CallRecord, context: CallContext): Promise<Completion>;
  /** The deployment and the parameters of the next call: the cache keeps its answer under them. */
  target(overrides?: ModelOverrides): ModelTarget;
  /** Name of the model that gets the next call; undefined before its first completion. */
  modelName(): string | undefined;
  /** Name of the model that an endpoint named last; undefined before its first completion in this process. */
  modelNameOf(endpoint: number): string | undefined;
  /** Milliseconds until the first circuit breaker lets a request through; 0 when one does now. */
  waitMs(): number;
  /** Resolves to true when at least one endpoint responds. The check uses no tokens. */
  isReachable(): Promise<boolean>;
  /** Whether the circuit breaker of each endpoint is open, in the order of the settings. */
  openBreakers(): boolean[];
  /** The endpoints whose model has a known retirement date, and whole days until then, negative afterwards. */
  retirements(): { endpoint: number; days: number }[];
  /** Ends the background work. */
  stop(): void;
  /** How often the circuit breaker of each endpoint opened, in the order of the settings. */
  breakerOpenings(): number[];
}

/** Creates the model. `warn` is called with messages for the operator, `callbacks` as LangChain calls them. */
export function createResilientModel(
  config: ModelConfig,
  http: HttpClient,
  warn: (message: string) => void,
  callbacks: BaseCallbackHandler[] = [],
): ResilientModel {
  // Created only when an endpoint has no key, and then shared.
  let sharedProvider: (() => Promise<string>) | undefined;
  const tokenProvider = () => (sharedProvider ??= createTokenProvider(config.identity, config.tokenScope));
  const credentialOf = ({ apiKey, isAzure }: EndpointConfig): Credential =>
    apiKey ?? (isAzure ? tokenProvider() : undefined);
  /** Only Azure has retirement dates. */
  const watches = new Map<number, RetirementWatch>();
  const [first, ...others] = config.endpoints;
  const createEndpoint = (endpoint: typeof first, index: number): ModelEndpoint => {
    const { deployment } = endpoint;
    const name = endpointName(endpoint);
    const client = createApiClient(config, endpoint, credentialOf(endpoint), http);
    const read = (signal: AbortSignal) => readRetirementDates(endpoint, client, signal);
    if (endpoint.isAzure) watches.set(index, new RetirementWatch({ name, read, warn }));
    const model = new PooledChatModel({
      api: config.modelApi,
      model: deployment,
      client,
      ...(callbacks.length > 0 && { callbacks }),
    });
    const target = { deployment, parameters: parametersFor(config, endpoint) };
    return new ModelEndpoint(index, model, target, (message) => warn(`Deployment ${name} ${message}`));
  };
  const primary = createEndpoint(first, 0);
  const endpoints = [primary, ...others.map((endpoint, index) => createEndpoint(endpoint, index + 1))];
  const bulkhead = new Bulkhead(config.maxConcurrency, errors.busy);
  const withDeployment = (name: string | undefined): ModelEndpoint[] =>
    name === undefined ? endpoints : endpoints.filter(({ deployment }) => deployment === name);
  const next = (overrides?: ModelOverrides): ModelEndpoint => {
    const possible = withDeployment(overrides?.deployment);
    return possible.find(({ isGone }) => !isGone) ?? possible[0] ?? primary;
  };
  return {
    target: (overrides) => next(overrides).targetFor(overrides),
    modelName: () => next().modelName,
    modelNameOf: (endpoint) => endpoints[endpoint]?.modelName,
    waitMs: () => shortestWaitMs(endpoints),
    async isReachable() {
      const answers = config.endpoints.map((endpoint) => http.warm(warmUpUrl(endpoint)));
      return (await Promise.all(answers)).includes(true);
    },
    openBreakers: () => endpoints.map(({ breaker }) => breaker.isOpen),
    breakerOpenings: () => endpoints.map(({ breaker }) => breaker.openings),
    retirements: () =>
      [...watches].flatMap(([endpoint, { days }]) => (days === null ? [] : [{ endpoint, days }])),
    stop() {
      for (const watch of watches.values()) watch.stop();
    },
    async complete(call, context) {
      const possible = withDeployment(context.overrides?.deployment);
      const trying = () => untilAborted(tryEndpoints(possible, call, context), context.signal);
      const completion = await bulkhead.run(trying, context.signal);
      watches.get(call.connection.endpoint)?.note(completion.model);
      return completion;
    },
  };
}

function tryEndpoints(
  endpoints: ModelEndpoint[],
  call: CallRecord,
  context: CallContext,
): Promise<Completion> {
  const { signal, deadline } = context;
  const attempts = new Map<ModelEndpoint, number>();
  const pick = () => pickEndpoint(endpoints, attempts);
  const take = (endpoint: ModelEndpoint): Attempt => {
    attempts.set(endpoint, 1 + (attempts.get(endpoint) ?? 0));
    const attempt: Attempt = (record, own) => endpoint.complete(record, own);
    return context.budget ? paid(attempt, endpoint, context.budget) : attempt;
  };
  const takeSecond = () => {
    const fresh = endpoints.filter((each) => !attempts.has(each) && !each.isGone && each.rateLimitMs === 0);
    const other = pickEndpoint(fresh, attempts);
    return other ? take(other) : null;
  };

  return pRetry(
    async (attemptNumber) => {
      // The first attempt does not wait for a rate limit, which may not apply to this request.
      if (attemptNumber > 1) await waitOut(pick()?.rateLimitMs ?? 0, context);
      const endpoint = pick();
      if (!endpoint) throw errors.circuitOpen(shortestWaitMs(endpoints));
      const first = take(endpoint);
      return endpoints.length > 1
        ? withSecondAttempt(first, takeSecond, call, context)
        : first(call, context);
    },
    {
      signal,
      retries: MAX_ATTEMPTS - 1,
      minTimeout: BACKOFF_MS,
      randomize: true,
      // No backoff before the first attempt at another endpoint: p-retry does not wait when no retry is consumed.
      shouldConsumeRetry() {
        const next = pick();
        return next === undefined || attempts.has(next);
      },
      shouldRetry({ error, attemptNumber, retryDelay }) {
        const next = pick();
        // Text that the caller has received cannot be taken back.
        const hasText = call.firstTokenAt !== null;
        if (attemptNumber >= MAX_ATTEMPTS || !next || hasText) return false;
        // Another endpoint may have the deployment that is gone here.
        const mayBeElsewhere = isDeploymentGone(error) && !next.isGone && !attempts.has(next);
        if (!isRetryable(error) && !mayBeElsewhere) return false;
        return performance.now() + Math.max(retryDelay, next.rateLimitMs) < deadline;
      },
    },
  );
}

/** Waits until a rate limit ends. */
function waitOut(ms: number, { signal, onWait }: CallContext): Promise<void> {
  if (ms >= TOLD_WAIT_MS) onWait?.(ms);
  return delay(ms, undefined, { signal });
}

const shortestWaitMs = (endpoints: ModelEndpoint[]): number =>
  Math.min(...endpoints.map(({ breaker }) => breaker.waitMs));

/**
 * Returns the endpoint for the next attempt: of those whose breaker lets requests through, one whose deployment is not
 * known to be gone, then the one whose rate limit ends first, then the one with the fewest attempts, then the first in
 * the settings.
 */
function pickEndpoint(
  endpoints: ModelEndpoint[],
  attempts: Map<ModelEndpoint, number>,
): ModelEndpoint | undefined {
  const attemptsAt = (endpoint: ModelEndpoint): number => attempts.get(endpoint) ?? 0;
  return endpoints
    .filter(({ breaker }) => breaker.waitMs === 0)
    .toSorted(
      (a, b) =>
        Number(a.isGone) - Number(b.isGone) || a.rateLimitMs - b.rateLimitMs || attemptsAt(a) - attemptsAt(b),
    )[0];
}
