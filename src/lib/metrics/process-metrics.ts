/** The counters of this process. */
import { randomUUID } from 'node:crypto';
import type { Prices } from '../config/model-config.ts';
import type { PerformanceMetrics, ProcessTotals } from '../contract/metrics.ts';
import type { TokenUsage } from '../model/completion.ts';
import { toPerformanceMetrics } from './performance-metrics.ts';
import type { CacheResult, QuestionRecord } from './question-record.ts';
import { addTokens, noTokens, reportCost, reportTokens } from './tokens.ts';

/** What is looked at whenever metrics are sent, and costs no question anything. */
export interface ProcessState {
  openBreakers(): boolean[];
  openConnections(): number;
  backgroundWrites(): { done: number; failed: number };
}

/** The counters of this process, from its start. */
export interface ProcessMetrics {
  /** Names this process, and no other. */
  readonly instanceId: string;
  /** True for the first caller only: the first POST /ask of this process. */
  takeColdStart(): boolean;
  /** Counts a finished cache lookup. */
  countLookup(result: CacheResult, saved: TokenUsage): void;
  /** Counts a question that was answered by the model call of another. */
  countCoalesced(saved: TokenUsage): void;
  /** Counts a model call that was answered, or refused for what was asked, and how its connection came to be. */
  countModelCall(durationMs: number, reused: boolean): void;
  /** Counts tokens that were paid for. */
  countTokens(tokens: TokenUsage): void;
  /** Whether the model could be used when it was asked last; null before. What was asked is no fault of the model. */
  modelState: 'ok' | 'failing' | null;
  /** The metrics of an answer finished now. */
  report(record: QuestionRecord): PerformanceMetrics;
  /** What this process did so far, as /health/ready shows it. */
  totals(): Omit<ProcessTotals, 'background_writes'>;
}

/** What is counted. */
export interface Counters {
  instanceId: string;
  lookups: number;
  hits: number;
  lookupErrors: number;
  coalesced: number;
  tokens: { paid: TokenUsage; saved: TokenUsage };
  modelCalls: number;
  modelCallsMs: number;
  reusedConnections: number;
}

/** Starts counting; what it costs only if there are prices. `openConnections` tells how many are open at the moment. */
export function createProcessMetrics(prices: Prices | null, openConnections: () => number): ProcessMetrics {
  const counters: Counters = {
    instanceId: randomUUID(),
    lookups: 0,
    hits: 0,
    lookupErrors: 0,
    coalesced: 0,
    tokens: { paid: noTokens(), saved: noTokens() },
    modelCalls: 0,
    modelCallsMs: 0,
    reusedConnections: 0,
  };
  let cold = true;
  return {
    instanceId: counters.instanceId,
    modelState: null,
    takeColdStart() {
      const wasCold = cold;
      cold = false;
      return wasCold;
    },
    countLookup(result, saved) {
      counters.lookups++;
      if (result === 'hit') counters.hits++;
      if (result === 'error') counters.lookupErrors++;
      addTokens(counters.tokens.saved, saved);
    },
    countCoalesced(saved) {
      counters.coalesced++;
      addTokens(counters.tokens.saved, saved);
    },
    countTokens(tokens) {
      addTokens(counters.tokens.paid, tokens);
    },
    countModelCall(durationMs, reused) {
      counters.modelCalls++;
      counters.modelCallsMs += durationMs;
      if (reused) counters.reusedConnections++;
    },
    report: (record) => toPerformanceMetrics(record, counters, prices, openConnections()),
    totals: () => ({
      model_calls: counters.modelCalls,
      cache: {
        hits: counters.hits,
        misses: counters.lookups - counters.hits,
        coalesced: counters.coalesced,
        errors: counters.lookupErrors,
      },
      tokens: reportTokens(counters.tokens.paid, counters.tokens.saved),
      ...reportCost(prices, counters.tokens.paid, counters.tokens.saved),
    }),
  };
}
