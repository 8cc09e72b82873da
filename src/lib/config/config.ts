/** All settings of the app, with their defaults and rules. Only this folder reads the app's environment variables. */
import { readUsers, type UsersConfig } from './access-config.ts';
import { type BudgetConfig, readBudgets } from './budget-config.ts';
import { type CacheConfig, readCacheConfig } from './cache-config.ts';
import {
  type LangSmithConfig,
  LOG_LEVELS,
  type LogLevel,
  readLangSmithConfig,
  readTelemetryConfig,
  type TelemetryConfig,
} from './telemetry-config.ts';
import { type ModelConfig, readModelConfig } from './model-config.ts';
import { type Environment, renamedProblems, SettingsReader, unknownNameWarnings } from './settings-reader.ts';
import { readStorageConfig, type StorageConfig } from './storage-config.ts';

export type { CallerKey, UsersConfig } from './access-config.ts';
export type { BudgetConfig } from './budget-config.ts';
export type { CacheConfig } from './cache-config.ts';
export type { IdentityConfig } from './clouds.ts';
export type { EndpointConfig, ModelConfig } from './model-config.ts';
export type { RedisConfig } from './cache-config.ts';
export type { Environment } from './settings-reader.ts';
export type { StorageConfig } from './storage-config.ts';
export type { AzureMonitorConfig, LangSmithConfig, TelemetryConfig } from './telemetry-config.ts';

/** The validated settings of this process. Durations are in milliseconds. */
export interface Config {
  model: ModelConfig;
  storage: StorageConfig;
  /** How many interactions of a session are sent to the model and shown. */
  historyMaxInteractions: number;
  /** Token limit of the chat history that is sent to the model. Interactions are sent whole or not at all. */
  historyMaxTokens: number;
  /** Interactions older than this are never shown. */
  sessionTtlMs: number;
  cache: CacheConfig;
  /** Null when no budget is set. */
  budgets: BudgetConfig | null;
  /** Longest question, in UTF-16 units. */
  maxQuestionChars: number;
  requestTimeoutMs: number;
  /** How long connections to the model are kept warm after a question; 0 also turns off opening them at startup. */
  keepWarmMs: number;
  /** Whether a model call is completed for the cache and the session after its caller disconnected. */
  finishAbandoned: boolean;
  users: UsersConfig;
  /** The API in the form of OpenAI's, for clients that know no other. */
  openAiApi: OpenAiApiConfig;
  /** Host names of the web pages that may call /mcp, besides those on this machine. */
  mcpAllowedHosts: string[];
  /** The app's own host name, which the platform sets; undefined elsewhere. */
  hostName: string | undefined;
  logLevel: LogLevel;
  /** Null when no destination for traces and metrics is set. */
  telemetry: TelemetryConfig | null;
  /** Null when tracing of LangChain is off. */
  langSmith: LangSmithConfig | null;
  /** Problems that do not stop the app, one sentence each, without secret values. */
  warnings: readonly string[];
}

/** The OpenAI API under /v1. */
export interface OpenAiApiConfig {
  isOn: boolean;
  /** Parameters of the model that callers must not choose, by their names in chat completions. */
  forbidden: readonly string[];
}

/** At least one setting is missing or invalid. `problems` has one sentence for each, with the name of the setting. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(`Invalid settings: ${problems.join(' ')}`);
    this.problems = problems;
  }
}

/** A managed identity answers in less than a second; a developer's `az` or `azd` takes up to five. */
const MAX_TOKEN_TIMEOUT_MS = 10_000;
const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;

/**
 * Reads and validates all settings.
 * @throws ConfigError naming every setting that is missing or invalid, without secret values.
 */
export function readConfig(env: Environment = process.env): Config {
  const settings = new SettingsReader(env);
  // Azure's load balancer ends a request after 230 s; the remaining 10 s are for sending our own error.
  const requestTimeoutMs = Math.round(
    1000 * (settings.number('REQUEST_TIMEOUT_SECONDS', { min: 1, max: 220 }) ?? 100),
  );
  const tokenTimeoutMs = Math.min(MAX_TOKEN_TIMEOUT_MS, requestTimeoutMs);
  const users = readUsers(settings);
  const model = readModelConfig(settings, tokenTimeoutMs);
  const config: Config = {
    model,
    budgets: readBudgets(settings, model),
    storage: readStorageConfig(settings, tokenTimeoutMs),
    historyMaxInteractions:
      settings.number('HISTORY_MAX_INTERACTIONS', { min: 1, max: 500, integer: true }) ?? 10,
    // GPT-4o's context window is 128,000 tokens; the rest is for the system prompt, the question and the answer.
    historyMaxTokens: settings.number('HISTORY_MAX_TOKENS', { min: 0, integer: true }) ?? 100_000,
    sessionTtlMs: Math.round(DAY_MS * (settings.number('SESSION_TTL_DAYS', { min: 1, max: 3650 }) ?? 30)),
    cache: readCacheConfig(settings, { tokenTimeoutMs, knowsUsers: users.by !== 'nobody' }),
    maxQuestionChars:
      settings.number('MAX_QUESTION_CHARS', { min: 1, max: 1_000_000, integer: true }) ?? 32_000,
    requestTimeoutMs,
    keepWarmMs: Math.round(MINUTE_MS * (settings.number('KEEP_WARM_MINUTES', { min: 0, max: 1440 }) ?? 5)),
    finishAbandoned: settings.oneOf('FINISH_ABANDONED', ['on', 'off']) !== 'off',
    telemetry: readTelemetryConfig(settings, tokenTimeoutMs),
    langSmith: readLangSmithConfig(settings),
    logLevel: logLevelOf(settings),
    users,
    hostName: readHostName(settings),
    openAiApi: readOpenAiApi(settings),
    mcpAllowedHosts: readMcpAllowedHosts(settings),
    warnings: settings.warnings,
  };
  // Last, because `settings.knownNames` is complete only when every setting has been read.
  const setNames = Object.keys(env).filter((name) => env[name]?.trim());
  settings.problems.push(...renamedProblems(setNames));
  settings.warnings.push(...unknownNameWarnings(setNames, settings.knownNames));
  // The warnings are included because a mistyped name may be the reason for a missing setting.
  if (settings.problems.length > 0) throw new ConfigError([...settings.problems, ...settings.warnings]);
  return config;
}

/** Reads only `LOG_LEVEL`, because there are log lines before all settings are validated. */
export function readLogLevel(env: Environment = process.env): LogLevel {
  return logLevelOf(new SettingsReader(env));
}

const logLevelOf = (settings: SettingsReader): LogLevel =>
  settings.oneOf('LOG_LEVEL', [...LOG_LEVELS]) ?? 'info';

/** The app's own host name, which the platform sets; the Core Tools with a port. */
const readHostName = (settings: SettingsReader): string | undefined =>
  settings.text('WEBSITE_HOSTNAME')?.replace(/:\d+$/, '');

/** The app's own host name, and those of the origins in `MCP_ALLOWED_ORIGINS`. */
function readMcpAllowedHosts(settings: SettingsReader): string[] {
  const own = readHostName(settings);
  const others = settings.list('MCP_ALLOWED_ORIGINS').map((origin) => {
    if (URL.canParse(origin) && new URL(origin).origin === origin) return new URL(origin).hostname;
    settings.problems.push(
      'MCP_ALLOWED_ORIGINS must list origins such as https://chat.example.com, separated by commas.',
    );
    return '';
  });
  return [...(own === undefined ? [] : [own]), ...others];
}

/** The parameters of the model that callers may choose, by their names in chat completions. */
const CALLER_PARAMETERS = [
  'temperature',
  'top_p',
  'max_completion_tokens',
  'reasoning_effort',
  'verbosity',
  'response_format',
  'stop',
  'seed',
  'frequency_penalty',
  'presence_penalty',
];

function readOpenAiApi(settings: SettingsReader): OpenAiApiConfig {
  const name = 'OPENAI_API_FORBIDDEN_PARAMETERS';
  const forbidden = settings.list(name);
  if (forbidden.some((each) => !CALLER_PARAMETERS.includes(each)))
    settings.problems.push(`${name} must list some of ${CALLER_PARAMETERS.join(', ')}, separated by commas.`);
  return { isOn: settings.oneOf('OPENAI_API', ['on', 'off']) !== 'off', forbidden };
}
