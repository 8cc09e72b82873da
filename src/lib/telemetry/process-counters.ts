/** The counters of this process. */
import { randomUUID } from 'node:crypto';
import type { Prices } from '../config/model-config.ts';
import type { PerformanceMetrics, ProcessTotals } from '../contract/metrics.ts';
import { addTokens, noTokens, type TokenUsage } from '../model/completion.ts';
import { type Counters, reportCost, reportTokens, toPerformanceMetrics } from './performance-metrics.ts';
import type { CacheResult, QuestionRecord } from './question-record.ts';

/** State that is read only when metrics are exported or shown, so that no question pays for it. */
export interface ProcessState {
  openBreakers(): boolean[];
  openConnections(): number;
  backgroundWrites(): { done: number; failed: number };
}

/** The counters of this process since its start. */
export interface ProcessCounters {
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
  /** Counts tokens of this app's own model calls, which have to be paid for. */
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
export function createProcessCounters(prices: Prices | null, openConnections: () => number): ProcessCounters {
  const values: Counters = {
    instanceId: randomUUID(),
    lookups: 0,
    hits: 0,
    lookupErrors: 0,
    coalesced: 0,
    tokensPaid: noTokens(),
    tokensSaved: noTokens(),
    modelCalls: 0,
    modelCallsMs: 0,
    reusedConnections: 0,
  };
  let cold = true;
  return {
    instanceId: values.instanceId,
    modelState: null,
    takeColdStart() {
      const wasCold = cold;
      cold = false;
      return wasCold;
    },
    countLookup(result, tokensSaved) {
      values.lookups++;
      if (result === 'hit') values.hits++;
      if (result === 'error') values.lookupErrors++;
      addTokens(values.tokensSaved, tokensSaved);
    },
    countCoalesced(tokensSaved) {
      values.coalesced++;
      addTokens(values.tokensSaved, tokensSaved);
    },
    countTokens(tokens) {
      addTokens(values.tokensPaid, tokens);
    },
    countModelCall(durationMs, reused) {
      values.modelCalls++;
      values.modelCallsMs += durationMs;
      if (reused) values.reusedConnections++;
    },
    report: (record) => toPerformanceMetrics(record, values, prices, openConnections()),
    totals: () => ({
      model_calls: values.modelCalls,
      cache: {
        hits: values.hits,
        misses: values.lookups - values.hits,
        coalesced: values.coalesced,
        errors: values.lookupErrors,
      },
      tokens: reportTokens(values.tokensPaid, values.tokensSaved),
      ...reportCost(prices, values.tokensPaid, values.tokensSaved),
    }),
  };
}
