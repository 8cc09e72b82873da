/** What is simulated: the load, the platform, the app and the services behind it. Times in milliseconds. */
import { MEASURED } from './measured.ts';

/** A set-up of the simulation. Rates and limits are those of the whole deployment. */
export interface Scenario {
  name: string;
  load: {
    /** Questions a second in the busiest hour. */
    perSecond: number;
    /** The hour of the day in which the run begins; 14 is the busiest. */
    hour: number;
    /** Many callers at once, such as after a mention on television. Null for none. */
    herd: Herd | null;
  };
  /** A run simulates one part in `slice` of the load, with one part in `slice` of every limit. */
  slice: number;
  platform: {
    /** Instances that are ready at the beginning. Their caches have served for `questions.warmMs`. */
    ready: number;
    max: number;
    /** Concurrent requests of an instance, beyond which another instance is started. */
    concurrency: number;
    /** New instances a second. */
    startsPerSecond: number;
    /** From the decision to start an instance to its first request. */
    coldStartMs: number;
    /** A request that has waited this long for an instance is given up. */
    patienceMs: number;
  };
  app: {
    /** MODEL_MAX_CONCURRENCY. */
    maxConcurrency: number;
    /** REQUEST_TIMEOUT_SECONDS. */
    timeoutMs: number;
    cpu: Cpu;
    /** Round trip to Redis; null without Redis. */
    redisMs: number | null;
  };
  questions: {
    /** Different first questions, and different follow-ups to each. */
    first: number;
    followUps: number;
    /** Exponent of the Zipf distribution of both. */
    exponent: number;
    /** Questions in a session. */
    sessionLength: number;
    streamedShare: number;
    /** How long the caches have been filled before the run. */
    warmMs: number;
  };
  model: {
    endpoints: number;
    /** Quota of each endpoint. */
    tokensPerMinute: number;
    /** Tokens of a question and its answer. */
    tokens: number;
    meanMs: number;
    /** Spread of the times: standard deviation of their logarithm. */
    sigma: number;
    /** Share of the requests that fail with a 5xx. */
    failureShare: number;
    /** The first endpoint answers 500 in this time; null for never. */
    outage: { fromMs: number; toMs: number } | null;
  };
  storage: {
    accounts: number;
    /** Entities of 1 KiB a second. */
    accountLimit: number;
    partitionLimit: number;
    /** 1 KiB entities that a row counts as. */
    rowUnits: number;
    readMs: number;
    writeMs: number;
    /** Share of the questions that use one and the same session. */
    hotSessionShare: number;
  };
}

/** A herd of callers. `factor` is the rate compared with the usual one. */
export interface Herd {
  fromMs: number;
  forMs: number;
  factor: number;
  /** Share of its questions that are the same new question. */
  sameShare: number;
}

/** CPU time of one question in milliseconds, by its kind. */
export interface Cpu {
  /** A cached answer in a new session. */
  cached: number;
  /** A cached answer in a known session. */
  known: number;
  /** A question in a new session that the model answers. */
  asked: number;
  /** The same, streamed. */
  streamed: number;
  /** Share of the time of a cached answer that is used before the first wait. */
  startShare: number;
}

/**
 * The deployment of infra/main.bicep with its default parameters, ready for 10 questions a second. Sources of the
 * limits and assumptions: docs/scale.md.
 */
export const DEPLOYED: Scenario = {
  name: 'as deployed by default',
  load: { perSecond: 10, hour: 14, herd: null },
  slice: 1,
  platform: {
    ready: 1,
    max: 40,
    concurrency: 100,
    startsPerSecond: 1,
    coldStartMs: 1000 + MEASURED.coldStartMs,
    patienceMs: 230_000,
  },
  app: { maxConcurrency: 100, timeoutMs: 100_000, cpu: { ...MEASURED.cpu, startShare: 0.5 }, redisMs: null },
  questions: {
    first: 100_000,
    followUps: 1000,
    exponent: 1,
    sessionLength: 3,
    streamedShare: 0.5,
    warmMs: 3_600_000,
  },
  model: {
    endpoints: 1,
    tokensPerMinute: 50_000,
    tokens: 950,
    meanMs: 3000,
    sigma: 0.5,
    failureShare: 0.001,
    outage: null,
  },
  storage: {
    accounts: 1,
    accountLimit: 20_000,
    partitionLimit: 2000,
    rowUnits: 4,
    readMs: 10,
    writeMs: 10,
    hotSessionShare: 0,
  },
};

/** The rate of arrivals at a time of day, as a share of the busiest hour: a daily curve. Assumed. */
export const dailyCurve = (hour: number): number =>
  (1 + 0.6 * Math.cos(((hour - 14) / 24) * 2 * Math.PI)) / 1.6;

/** The mean of {@link dailyCurve} over a day. */
export const MEAN_OF_DAY = 1 / 1.6;
