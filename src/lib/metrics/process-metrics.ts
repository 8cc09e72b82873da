/** The counters of this process. */
import { randomUUID } from 'node:crypto';
import type { Prices } from '../config/model-config.ts';
import type { PerformanceMetrics, ProcessTotals } from '../contract/metrics.ts';
import type { TokenUsage } from '../model/completion.ts';
import type { Counters } from './counters.ts';
import { toPerformanceMetrics } from './performance-metrics.ts';
import type { CacheResult, QuestionRecord } from './question-record.ts';
import { costOf } from './price.ts';
import { addTokens, noTokens, reportTokens, roundedCost } from './tokens.ts';

/** State that is read only when metrics are exported or shown, so that no question pays for it. */
export interface ProcessState {
  openBreakers(): boolean[];
  openConnections(): number;
  backgroundWrites(): { done: number; failed: number };
  /** The endpoints whose model has a known retirement date, and the days until then. */
  retirements(): { endpoint: number; days: number }[];
}

/** The counters of this process since its start. */
export interface ProcessMetrics {
  /** A random id of this process. */
  readonly instanceId: string;
  /** True for the first call only: the first POST /ask of this process is its cold start. */
  takeColdStart(): boolean;
  /** Counts a finished cache lookup, and the tokens that a hit saved. */
  countLookup(result: CacheResult, tokensSaved: TokenUsage): void;
  /** Counts a question that shared the model call of an identical question. */
  countCoalesced(tokensSaved: TokenUsage): void;
  /** Counts a model call that the model answered or refused, and whether it reused a connection. */
  countModelCall(durationMs: number, reused: boolean): void;
  /** Counts the tokens of a completion of this app's own model calls, which have to be paid for. */
  countTokens(tokens: TokenUsage): void;
  /** Whether the last model call reached a working model; null before the first call. A refusal counts as `ok`. */
  modelState: 'ok' | 'failing' | null;
  /** Gives the metrics of an answer that has just finished. */
  report(record: QuestionRecord): PerformanceMetrics;
  /** The totals so far, as /health/ready shows them. */
  totals(): Omit<ProcessTotals, 'background_writes'>;
}

/**
 * Starts counting. Costs are reported only when there are prices. `openConnections` gives the number of connections to
 * the model that are open now.
 */
export function createProcessMetrics(prices: Prices | null, openConnections: () => number): ProcessMetrics {
  const counters: Counters = {
    instanceId: randomUUID(),
    lookups: 0,
    hits: 0,
    lookupErrors: 0,
    coalesced: 0,
    tokensPaid: noTokens(),
    tokensSaved: noTokens(),
    cost: { spent: 0, saved: 0 },
    modelCalls: 0,
    modelCallsMs: 0,
    reusedConnections: 0,
  };
  let cold = true;
  const countSaved = (tokens: TokenUsage): void => {
    addTokens(counters.tokensSaved, tokens);
    if (prices) counters.cost.saved += costOf(prices, tokens);
  };
  return {
    instanceId: counters.instanceId,
    modelState: null,
    takeColdStart() {
      const wasCold = cold;
      cold = false;
      return wasCold;
    },
    countLookup(result, tokensSaved) {
      counters.lookups++;
      if (result === 'hit') counters.hits++;
      if (result === 'error') counters.lookupErrors++;
      countSaved(tokensSaved);
    },
    countCoalesced(tokensSaved) {
      counters.coalesced++;
      countSaved(tokensSaved);
    },
    countTokens(tokens) {
      addTokens(counters.tokensPaid, tokens);
      if (prices) counters.cost.spent += costOf(prices, tokens);
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
      tokens: reportTokens(counters.tokensPaid, counters.tokensSaved),
      ...(prices && { cost: roundedCost(counters.cost) }),
    }),
  };
}
