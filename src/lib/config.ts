/** The only reader of the environment: every setting, its default and its rule. */
import { tmpdir } from 'node:os';
import { resolve } from 'node:path';
import { cloudOf } from './clouds.ts';
import { LOG_LEVELS, type LogLevel } from './log.ts';
import { type ModelConfig, readModel } from './model-settings.ts';
import { type Environment, SettingsReader } from './settings-reader.ts';

export type { EndpointConfig, ModelConfig } from './model-settings.ts';
export type { Environment } from './settings-reader.ts';

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

/** Where sessions are kept: by connection string, or by address with the identity of the app. */
export type StorageConfig = { tableName: string } & (
  | { connectionString: string }
  | { endpoint: string; identity: IdentityConfig }
);

/** An identity of the app, and who signs it in. */
export interface IdentityConfig {
  /** Client id of a user-assigned one; the library's own choice without it. */
  clientId: string | undefined;
  /** Address of Entra ID in the cloud of the app. */
  authorityHost: string;
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

const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;
const MEGABYTE = 1024 * 1024;

/**
 * Reads and validates all settings.
 * @throws ConfigError naming every setting that is missing or wrong; values of keys are never part of it.
 */
export function readConfig(env: Environment = process.env): Config {
  const read = new SettingsReader(env);
  const config: Config = {
    model: readModel(read),
    storage: { ...readStorage(read), tableName: readTableName(read) },
    historyMaxInteractions:
      read.number('HISTORY_MAX_INTERACTIONS', { min: 1, max: 500, integer: true }) ?? 10,
    // GPT-4o reads 128,000, of which the question, the system prompt and the answer need some.
    historyMaxTokens: read.number('HISTORY_MAX_TOKENS', { min: 0, integer: true }) ?? 100_000,
    sessionTtlMs: DAY_MS * (read.number('SESSION_TTL_DAYS', { min: 1, max: 3650 }) ?? 30),
    cache: readCache(read),
    maxQuestionChars: read.number('MAX_QUESTION_CHARS', { min: 1, max: 1_000_000, integer: true }) ?? 32_000,
    // Azure's load balancer cuts a request at 230 s; 10 s are left to say so ourselves.
    requestTimeoutMs: 1000 * (read.number('REQUEST_TIMEOUT_SECONDS', { min: 1, max: 220 }) ?? 100),
    keepWarmMs: MINUTE_MS * (read.number('KEEP_WARM_MINUTES', { min: 0, max: 1440 }) ?? 5),
    finishAbandoned: read.oneOf('FINISH_ABANDONED', ['on', 'off']) !== 'off',
    telemetry: readTelemetry(read),
    logLevel: readLogLevel(env, read.problems),
    trustsUserHeaders: read.text('WEBSITE_AUTH_ENABLED')?.toLowerCase() === 'true',
  };
  readAuthLevel(env, read.problems);
  refuseTracing(read);
  if (read.problems.length > 0) throw new ConfigError(read.problems);
  return config;
}

/**
 * Reads `HTTP_AUTH_LEVEL` alone, because routes are registered before the rest is known to be right.
 * Anything but `anonymous` asks for a key; a wrong value is added to `problems`.
 */
export function readAuthLevel(env: Environment = process.env, problems: string[] = []): AuthLevel {
  const read = new SettingsReader(env);
  const level = read.oneOf('HTTP_AUTH_LEVEL', ['function', 'anonymous']) ?? 'function';
  problems.push(...read.problems);
  return level;
}

/** Reads `LOG_LEVEL` alone, because there is something to log before the rest is known to be right. */
export function readLogLevel(env: Environment = process.env, problems: string[] = []): LogLevel {
  const read = new SettingsReader(env);
  const level = read.oneOf('LOG_LEVEL', [...LOG_LEVELS]) ?? 'info';
  problems.push(...read.problems);
  return level;
}

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
    MEGABYTE * (read.number(name, { min: 1, max: 100_000 }) ?? fallback);
  return {
    ttlMs: 1000 * (read.number('ANSWER_CACHE_TTL_SECONDS', { min: 0, integer: true }) ?? 86_400),
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

function readTableName(read: SettingsReader): string {
  const name = read.text('SESSIONS_TABLE_NAME') ?? 'sessions';
  // learn.microsoft.com/rest/api/storageservices/understanding-the-table-service-data-model#table-names
  if (!/^[A-Za-z][A-Za-z0-9]{2,62}$/.test(name)) {
    read.problems.push('SESSIONS_TABLE_NAME must be 3 to 63 letters and digits, starting with a letter.');
  }
  return name;
}

/** The first that is set: our own settings, then the storage that the Functions host uses itself. */
function readStorage(read: SettingsReader) {
  const own = read.connectionString('SESSIONS_STORAGE_CONNECTION_STRING');
  const ownEndpoint = read.endpoint('SESSIONS_TABLE_ENDPOINT');
  const hosts = read.connectionString('AzureWebJobsStorage');
  const hostsEndpoint = read.endpoint('AzureWebJobsStorage__tableServiceUri');
  const hostsAccount = read.text('AzureWebJobsStorage__accountName');
  const clientId = read.text('AzureWebJobsStorage__clientId');
  const authority = read.endpoint('AZURE_AUTHORITY_HOST');
  const at = (endpoint: string, id?: string): { endpoint: string; identity: IdentityConfig } => ({
    endpoint,
    identity: { clientId: id, authorityHost: authority ?? cloudOf(endpoint).authorityHost },
  });

  if (own) return { connectionString: own };
  if (ownEndpoint) return at(ownEndpoint);
  if (hosts) return { connectionString: hosts };
  if (hostsEndpoint) return at(hostsEndpoint, clientId);
  if (hostsAccount) {
    // Its name does not say in which cloud it is; the app has its model in the same one.
    const { storageSuffix } = cloudOf(authority, read.text('AZURE_OPENAI_ENDPOINT'));
    return at(`https://${hostsAccount}.table.${storageSuffix}`, clientId);
  }
  read.problems.push(
    'Set AzureWebJobsStorage, SESSIONS_STORAGE_CONNECTION_STRING or SESSIONS_TABLE_ENDPOINT: sessions are kept in Table Storage.',
  );
  return { connectionString: '' };
}
