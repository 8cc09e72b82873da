/** The only reader of the environment: every setting, its default and its rule. */
import { tmpdir } from 'node:os';
import { resolve } from 'node:path';
import { LOG_LEVELS, type LogLevel } from './log-level.ts';
import { type ModelConfig, readModel } from './model-config.ts';
import { type Environment, SettingsReader } from './settings-reader.ts';
import { warnOfSimilarNames } from './similar-settings.ts';
import { readStorage, type StorageConfig } from './storage-config.ts';

export type { IdentityConfig } from './clouds.ts';
export type { EndpointConfig, ModelConfig } from './model-config.ts';
export type { Environment } from './settings-reader.ts';
export type { StorageConfig } from './storage-config.ts';

/** The settings of this process, validated. Durations are in milliseconds. */
export interface Config {
  model: ModelConfig;
  storage: StorageConfig;
  /** How many interactions of a session are sent to the model and shown. */
  historyMaxInteractions: number;
  /** Longest history that is sent to the model, whole interactions. */
  historyMaxTokens: number;
  /** Interactions older than this are never shown. */
  sessionTtlMs: number;
  cache: CacheConfig;
  /** Longest question, in UTF-16 units. */
  maxQuestionChars: number;
  requestTimeoutMs: number;
  /** How long the connection to the model is kept warm after a question; 0 also turns opening it ahead off. */
  keepWarmMs: number;
  /** A model call goes on for the cache when the caller has left. */
  finishAbandoned: boolean;
  /** The headers that name a signed-in user come from App Service, and from nobody else. */
  trustsUserHeaders: boolean;
  /** How much is logged. */
  logLevel: LogLevel;
  /** Null when nobody is to receive traces and metrics. */
  telemetry: TelemetryConfig | null;
  /** What the operator should know of the settings, a sentence each; values of keys are never part of it. */
  warnings: readonly string[];
}

/** Who receives traces and metrics: one of them or both. */
export interface TelemetryConfig {
  /** An OpenTelemetry receiver, without `/v1/traces`. */
  otlpEndpoint: string | undefined;
  azureMonitorConnectionString: string | undefined;
  serviceName: string;
  /** Traces hold what was asked and answered. */
  capturesContent: boolean;
}

/** How answers are cached. */
export interface CacheConfig {
  /** 0 turns the cache off. */
  ttlMs: number;
  version: string;
  /** Whether signed-in users share answers. */
  partition: 'none' | 'user';
  memoryBytes: number;
  /** The SQLite file of this instance, and its bound. */
  path: string;
  maxBytes: number;
  /** Shared by all instances, if there is one. */
  redisUrl: string | undefined;
}

/** Who may ask: holders of a function key, or anyone (for example behind App Service sign-in). */
export type AuthLevel = 'function' | 'anonymous';

/** One or more settings are wrong; `problems` has one sentence for each, naming it. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(`${problems.length} setting(s) are wrong: ${problems.join(' ')}`);
    this.problems = problems;
  }
}

/** Longest wait for a token. One takes less than a second; the command line tools of a developer take up to five. */
const TOKEN_MS = 10_000;
const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;
/** Longer would be beyond what Redis and SQLite count in. */
const TEN_YEARS_S = 315_360_000;
const MEGABYTE = 1024 * 1024;

/**
 * Reads and validates all settings.
 * @throws ConfigError naming every setting that is missing or wrong; values of keys are never part of it.
 */
export function readConfig(env: Environment = process.env): Config {
  const read = new SettingsReader(env);
  // Azure's load balancer cuts a request at 230 s; 10 s are left to say so ourselves.
  const requestTimeoutMs = Math.round(
    1000 * (read.number('REQUEST_TIMEOUT_SECONDS', { min: 1, max: 220 }) ?? 100),
  );
  const tokenTimeoutMs = Math.min(TOKEN_MS, requestTimeoutMs);
  const config: Config = {
    model: readModel(read, tokenTimeoutMs),
    storage: readStorage(read, tokenTimeoutMs),
    historyMaxInteractions:
      read.number('HISTORY_MAX_INTERACTIONS', { min: 1, max: 500, integer: true }) ?? 10,
    // GPT-4o reads 128,000, of which the question, the system prompt and the answer need some.
    historyMaxTokens: read.number('HISTORY_MAX_TOKENS', { min: 0, integer: true }) ?? 100_000,
    sessionTtlMs: Math.round(DAY_MS * (read.number('SESSION_TTL_DAYS', { min: 1, max: 3650 }) ?? 30)),
    cache: readCache(read),
    maxQuestionChars: read.number('MAX_QUESTION_CHARS', { min: 1, max: 1_000_000, integer: true }) ?? 32_000,
    requestTimeoutMs,
    keepWarmMs: Math.round(MINUTE_MS * (read.number('KEEP_WARM_MINUTES', { min: 0, max: 1440 }) ?? 5)),
    finishAbandoned: read.oneOf('FINISH_ABANDONED', ['on', 'off']) !== 'off',
    telemetry: readTelemetry(read),
    logLevel: logLevelOf(read),
    trustsUserHeaders: read.text('WEBSITE_AUTH_ENABLED')?.toLowerCase() === 'true',
    warnings: read.warnings,
  };
  authLevelOf(read);
  refuseTracing(read);
  // Last, when all names are known: they are those that were asked for.
  const setNames = Object.keys(env).filter((name) => env[name]?.trim());
  read.warnings.push(...warnOfSimilarNames(setNames, read.names));
  // A name that is almost right may be why another setting is missing.
  if (read.problems.length > 0) throw new ConfigError([...read.problems, ...read.warnings]);
  return config;
}

/**
 * Reads `HTTP_AUTH_LEVEL` alone, because routes are registered before the rest is known to be right.
 * Anything but `anonymous` asks for a key.
 */
export function readAuthLevel(env: Environment = process.env): AuthLevel {
  return authLevelOf(new SettingsReader(env));
}

/** Reads `LOG_LEVEL` alone, because there is something to log before the rest is known to be right. */
export function readLogLevel(env: Environment = process.env): LogLevel {
  return logLevelOf(new SettingsReader(env));
}

const authLevelOf = (read: SettingsReader): AuthLevel =>
  read.oneOf('HTTP_AUTH_LEVEL', ['function', 'anonymous']) ?? 'function';

const logLevelOf = (read: SettingsReader): LogLevel => read.oneOf('LOG_LEVEL', [...LOG_LEVELS]) ?? 'info';

/**
 * LangChain reads these by itself and sends every question to LangSmith. Nobody's questions leave this app by a setting
 * that is not ours, and the build leaves that client out.
 */
function refuseTracing(read: SettingsReader): void {
  for (const name of [
    'LANGSMITH_TRACING',
    'LANGSMITH_TRACING_V2',
    'LANGCHAIN_TRACING',
    'LANGCHAIN_TRACING_V2',
  ]) {
    if (read.text(name) === 'true') read.problems.push(`${name} is not supported: remove it.`);
  }
}

function readCache(read: SettingsReader): CacheConfig {
  const megabytes = (name: string, fallback: number): number =>
    Math.round(MEGABYTE * (read.number(name, { min: 1, max: 100_000 }) ?? fallback));
  return {
    ttlMs:
      1000 * (read.number('ANSWER_CACHE_TTL_SECONDS', { min: 0, max: TEN_YEARS_S, integer: true }) ?? 86_400),
    version: read.text('CACHE_VERSION') ?? '1',
    partition: read.oneOf('CACHE_PARTITION', ['none', 'user']) ?? 'none',
    memoryBytes: megabytes('ANSWER_CACHE_MEMORY_MB', 32),
    // A relative path would depend on the working directory, which the Functions worker does not promise.
    path: resolve(tmpdir(), read.text('ANSWER_CACHE_PATH') ?? 'azure-functions-ask-cache.sqlite'),
    maxBytes: megabytes('ANSWER_CACHE_MAX_MB', 256),
    redisUrl: read.redisUrl('ANSWER_CACHE_REDIS_URL'),
  };
}

/** By the names that OpenTelemetry and Azure give these settings. */
function readTelemetry(read: SettingsReader): TelemetryConfig | null {
  const otlpEndpoint = read.anyAddress('OTEL_EXPORTER_OTLP_ENDPOINT');
  const azureMonitorConnectionString = read.text('APPLICATIONINSIGHTS_CONNECTION_STRING');
  const serviceName = read.text('OTEL_SERVICE_NAME') ?? read.text('WEBSITE_SITE_NAME');
  const capturesContent =
    read.oneOf('OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT', ['true', 'false']) === 'true';
  if (otlpEndpoint === undefined && azureMonitorConnectionString === undefined) return null;
  return {
    otlpEndpoint,
    azureMonitorConnectionString,
    serviceName: serviceName ?? 'azure-functions-ask',
    capturesContent,
  };
}
