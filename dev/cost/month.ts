/** Money a month, by the formulas of docs/cost.md, which explains the symbols and the assumptions. */
import { type ModelPrice, type Prices, priceOf, symbolsOf } from './prices.ts';

export const MONTH_HOURS = 730;
/** Seconds of a month. */
const MONTH_S = MONTH_HOURS * 3600;
const DELETED_SHARE = 1 / 3;

/** The assumptions of docs/cost.md. */
export const ASSUMED = {
  hitRate: 0.3,
  promptTokens: 450,
  completionTokens: 500,
  memoryGB: 2,
  billedSeconds: 2.4,
  rowBytes: 3200,
  telemetryBytes: 5000,
  /** Alerts with a query; that of Service Health is free. */
  alerts: 6,
  privateEndpoints: 3,
  /** The queries and insertions of a question, without the deletion of old rows. */
  storageCalls: 5 / 3,
};

/** What a month costs depends on this. */
export interface Usage {
  /** Questions a month. */
  questions: number;
  /** Model calls, and calls to storage without the deletion of old rows, for each question. */
  callsPerQuestion: number;
  storageCallsPerQuestion: number;
  /** Billed time of a question. */
  billedSeconds: number;
  /** Instances on average over the month, of 2 GB. */
  instances: number;
  redis: boolean;
}

/** Dollars a month. */
export interface Month {
  model: number;
  functionTime: number;
  functionExecutions: number;
  storageCalls: number;
  storageBytes: number;
  logs: number;
  alerts: number;
  /** At the price of its smallest size. */
  redis: number;
  sum: number;
}

/** Computes the cost of a month with a model. */
export function costOfMonth(usage: Usage, prices: Prices, model: string): Month {
  const { questions: n, callsPerQuestion, storageCallsPerQuestion, billedSeconds } = usage;
  const { pg = 0, pe = 0, pt = 0, ps = 0, pl = 0, pq = 0, pr = 0 } = symbolsOf(prices);
  const instances = Math.max(1, usage.instances);
  const busySeconds = instances * MONTH_S * (1 - Math.exp((-n * billedSeconds) / (instances * MONTH_S)));
  const purgeRun = Math.min(240, Math.max(1, n / 10_000));
  const purgeCalls = (MONTH_HOURS * purgeRun) / 0.1;
  const calls = n * (storageCallsPerQuestion + DELETED_SHARE) + purgeCalls;
  const parts = {
    model: callsPerQuestion * n * costOfCall(priceOf(prices, model)),
    functionTime: Math.max(0, ASSUMED.memoryGB * (busySeconds + MONTH_HOURS * purgeRun) - 100_000) * pg,
    functionExecutions: (Math.max(0, n + MONTH_HOURS - 250_000) * pe) / 1e6,
    storageCalls: (calls * pt) / 10_000,
    storageBytes: (n * ASSUMED.rowBytes * ps) / 1e9,
    logs: Math.max(0, (n * ASSUMED.telemetryBytes + (busySeconds / 60) * 7500) / 1e9 - 5) * pl,
    alerts: ASSUMED.alerts * pq,
    redis: usage.redis ? MONTH_HOURS * pr : 0,
  };
  return { ...parts, sum: Object.values(parts).reduce((sum, part) => sum + part, 0) };
}

/** Dollars of one assumed model call. Its prompt is too short for the prompt cache of the model. */
export const costOfCall = ({ short }: ModelPrice): number =>
  (ASSUMED.promptTokens * short.input + ASSUMED.completionTokens * short.output) / 1e6;
