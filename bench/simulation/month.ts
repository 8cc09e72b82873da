/** Money a month, by the formulas and prices of docs/cost.md, which explains the symbols. A test holds the two together. */

/** Seconds of a month of 730 hours. */
const MONTH_S = 730 * 3600;
const DELETED_SHARE = 1 / 3;

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
  functions: number;
  storage: number;
  logs: number;
  /** Redis at the price of its smallest size, and the alerts. */
  others: number;
  sum: number;
}

/** Computes the cost of a month. */
export function costOfMonth(usage: Usage): Month {
  const { questions: n, callsPerQuestion, storageCallsPerQuestion, billedSeconds, redis } = usage;
  const instances = Math.max(1, usage.instances);
  const busySeconds = instances * MONTH_S * (1 - Math.exp((-n * billedSeconds) / (instances * MONTH_S)));
  const purgeRun = Math.min(240, Math.max(1, n / 10_000));
  const purgeCalls = (730 * purgeRun) / 0.1;
  const model = (callsPerQuestion * n * (450 * 0.25 + 500 * 2)) / 1e6;
  const functions =
    Math.max(0, 2 * (busySeconds + 730 * purgeRun) - 100_000) * 0.000026 +
    (Math.max(0, n + 730 - 250_000) * 0.4) / 1e6;
  const calls = n * (storageCallsPerQuestion + DELETED_SHARE) + purgeCalls;
  const storage = (calls * 0.00036) / 10_000 + (n * 3200 * 0.045) / 1e9;
  const logs = Math.max(0, (n * 5000 + (busySeconds / 60) * 7500) / 1e9 - 5) * 2.3;
  const others = 5 * 0.5 + (redis ? 13 : 0);
  return { model, functions, storage, logs, others, sum: model + functions + storage + logs + others };
}
