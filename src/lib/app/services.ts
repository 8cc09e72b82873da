/**
 * The composition root: creates all parts of this process once, from its settings. Rejected: a dependency-injection
 * container, which would hide the order of construction.
 */
import { createAnswerer } from '../ask/answer-question.ts';
import { createAnswers } from '../ask/answers.ts';
import { createConversations } from '../ask/conversation.ts';
import { createAnswerFinder } from '../ask/find-answer.ts';
import { LiveAnswers } from '../ask/live-answer.ts';
import { openAnswerCache } from '../cache/answer-cache.ts';
import type { BudgetParts, Budgets } from '../budget/budgets.ts';
import { createCachedUserData } from '../cache/user-partition.ts';
import type { BudgetConfig, Config, LangSmithConfig } from '../config/config.ts';
import { ChatHistory } from '../history/chat-history.ts';
import { Claims } from '../history/idempotency.ts';
import type { PurgeServices } from '../history/purge.ts';
import { SessionIndex } from '../history/session-index.ts';
import { createSessions } from '../history/sessions.ts';
import { createTableRowStore } from '../history/table-row-store.ts';
import type { AnswersServices } from '../http/answers-handler.ts';
import type { AskServices } from '../http/asked-question.ts';
import type { CacheServices, HealthServices } from '../http/operation-handlers.ts';
import type { SessionServices } from '../http/sessions-handler.ts';
import type { UserServices } from '../http/users-handler.ts';
import { createProcessCounters, type ProcessState } from '../telemetry/process-counters.ts';
import { warmUpUrl } from '../model/api-client.ts';
import { createResilientModel } from '../model/resilient-model.ts';
import { createHttpClient, createKeepWarm } from '../pool/http-client.ts';
import { atLevel } from '../common/log.ts';
import { PendingWork } from '../common/pending-work.ts';
import type { LangSmith } from '../telemetry/langsmith.ts';
import { createReporter } from '../telemetry/reporter.ts';
import { Erasures } from '../users/erasure.ts';
import { UserGenerations } from '../users/generations.ts';
import { createUserSessions } from '../users/user-sessions.ts';
import { createShutdown } from './shutdown.ts';

/** The services of all functions. Each function needs only some of them. */
export interface Services
  extends
    AskServices,
    AnswersServices,
    SessionServices,
    UserServices,
    CacheServices,
    HealthServices,
    PurgeServices {
  config: Config;
  /** Stops all services within 4 s. */
  stop(): Promise<void>;
}

/** Time after which a connection on which nothing arrives counts as dead. The rest is for an answer over a new one. */
const deadAfterMs = ({ requestTimeoutMs }: Config): number =>
  Math.min(20_000, Math.max(1000, requestTimeoutMs / 5));

/** Creates the services. Connections to the model and the cache file are opened in the background. */
export async function createServices(config: Config): Promise<Services> {
  const { warn } = atLevel(config.logLevel, console);
  for (const warning of config.warnings) warn(warning);
  // Requests in progress, and background writes.
  const requests = new PendingWork();
  const pending = new PendingWork();

  const http = createHttpClient({ deadAfterMs: deadAfterMs(config) });
  const keepWarm = createKeepWarm(http, config.model.endpoints.map(warmUpUrl), config.keepWarmMs);
  const langSmith = config.langSmith && (await loadLangSmith(config.langSmith, warn));
  const model = createResilientModel(config.model, http, warn, langSmith ? [langSmith.tracer] : []);

  const store = await createTableRowStore(config.storage);
  // Reads a row that does not exist, to connect and sign in to storage before the first question.
  if (config.keepWarmMs > 0) pending.add(store.get('warm', 'warm')).catch(() => {});
  const history = new ChatHistory(store, config.sessionTtlMs);
  const index = new SessionIndex(store, config.sessionTtlMs);

  const cache = await openAnswerCache(config.cache, {
    work: pending,
    warn,
    modelOf: (endpoint) => model.modelNameOf(endpoint),
  });
  const budgets = config.budgets && (await loadBudgets(config.budgets, { store, pending, warn }));
  const counters = createProcessCounters(config.model.prices, http);
  const live = new LiveAnswers();
  const answering = { live, claims: new Claims(store), history, limits: config };
  const conversations = createConversations({ ...answering, index, pending, warn });
  const finder = createAnswerFinder({ cache, model, counters, config });

  const ownsAnswers = cache !== null && config.cache.partition === 'user';
  const generations = ownsAnswers
    ? new UserGenerations(store, config.cache.ttlMs + config.cache.staleIfErrorMs)
    : null;
  const userData = [
    createUserSessions({ store, history, index, live }),
    ...(generations && cache ? [createCachedUserData(cache, generations)] : []),
  ];

  const state: ProcessState = {
    openBreakers: () => model.openBreakers(),
    breakerOpenings: () => model.breakerOpenings(),
    openConnections: () => http.openConnections(),
    backgroundWrites: () => cache?.writes ?? { done: 0, failed: 0 },
    retirements: () => model.retirements(),
  };
  const reporter = createReporter({ config, instanceId: counters.instanceId, state, warn });
  const shutdown = createShutdown({
    keepWarm,
    model,
    requests,
    pending,
    budgets,
    reporter,
    langSmith,
    cache,
    http,
  });

  return {
    config,
    answerer: createAnswerer({
      conversations,
      finder,
      counters,
      model,
      config,
      generations,
      pending: requests,
    }),
    answers: createAnswers(answering),
    sessions: createSessions({ ...answering, store, index, pending, warn }),
    erasures: new Erasures({ store, userData, pending, warn }),
    userData,
    budgets,
    cache,
    history,
    model,
    counters,
    state,
    keepWarm,
    reporter,
    requests,
    store,
    sessionTtlMs: config.sessionTtlMs,
    warn,
    ...shutdown,
  };
}

async function loadBudgets(config: BudgetConfig, parts: BudgetParts): Promise<Budgets> {
  const { createBudgets } = await import('../budget/budgets.ts');
  return createBudgets(config, parts);
}

async function loadLangSmith(config: LangSmithConfig, warn: (message: string) => void): Promise<LangSmith> {
  const { startLangSmith } = await import('../telemetry/langsmith.ts');
  return startLangSmith(config, warn);
}
