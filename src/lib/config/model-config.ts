/** The settings of the model: its endpoints, its credentials, the parameters of its calls and its prices. */
import { cloudOf, type IdentityConfig } from './clouds.ts';
import { type EndpointConfig, readEndpoints } from './model-endpoints.ts';
import { type Prices, readPrices } from './model-prices.ts';
import type { SettingsReader } from './settings-reader.ts';

export type { EndpointConfig } from './model-endpoints.ts';
export type { Prices } from './model-prices.ts';

/** The two APIs of the models: chat completions, or the Responses API. */
export type ModelApi = 'chat' | 'responses';

/** Where the model is, how the app signs in, and how the model is called. */
export interface ModelConfig {
  /** The primary endpoint, then the fallback endpoints in the order in which they are tried. */
  endpoints: [EndpointConfig, ...EndpointConfig[]];
  /** Limit of concurrent model calls in this process. As many calls again may wait in the queue. */
  maxConcurrency: number;
  /** Used for endpoints without a key. */
  identity: IdentityConfig;
  /** Scope of the identity's token. */
  tokenScope: string;
  apiVersion: string;
  modelApi: ModelApi;
  /** When undefined, not sent, so the model uses its default. The same holds for the next three. */
  temperature: number | undefined;
  maxOutputTokens: number | undefined;
  reasoningEffort: string | undefined;
  verbosity: string | undefined;
  systemPrompt: string;
  /** Further headers of each request, with lower-case names. They may contain keys. */
  headers: Readonly<Record<string, string>>;
  /** Null when no prices are set. */
  prices: Prices | null;
}

/** The Responses API exists since 2025-03-01-preview. */
const DEFAULT_API_VERSIONS = { chat: '2024-10-21', responses: '2025-04-01-preview' };
const DEFAULT_SYSTEM_PROMPT = 'You are a helpful assistant. Answer clearly and concisely.';

/**
 * Reads the model settings. Invalid values are added to the problems of `settings`. `tokenTimeoutMs` is the time limit
 * for getting a token.
 */
export function readModelConfig(settings: SettingsReader, tokenTimeoutMs: number): ModelConfig {
  const { endpoints, apiVersion } = readEndpoints(settings);
  const modelApi = settings.oneOf('MODEL_API', ['chat', 'responses']) ?? 'chat';
  return {
    endpoints,
    maxConcurrency: settings.number('MODEL_MAX_CONCURRENCY', { min: 1, integer: true }) ?? 512,
    ...readIdentity(settings, endpoints, tokenTimeoutMs),
    modelApi,
    apiVersion: apiVersion ?? DEFAULT_API_VERSIONS[modelApi],
    temperature: settings.number('MODEL_TEMPERATURE', { min: 0, max: 2 }),
    maxOutputTokens: settings.number('MODEL_MAX_OUTPUT_TOKENS', { min: 1, integer: true }),
    reasoningEffort: readWord(settings, 'MODEL_REASONING_EFFORT'),
    verbosity: readWord(settings, 'MODEL_VERBOSITY'),
    systemPrompt: settings.text('SYSTEM_PROMPT') ?? DEFAULT_SYSTEM_PROMPT,
    headers: readHeaders(settings),
    prices: readPrices(settings),
  };
}

/** Any lower-case word is accepted, because newer models introduce new values. */
function readWord(settings: SettingsReader, name: string): string | undefined {
  const word = settings.text(name);
  if (word !== undefined && !/^[a-z]{1,20}$/.test(word)) {
    settings.problems.push(`${name} must be a word like "low", "medium" or "high".`);
  }
  return word;
}

/** Headers that the app or the HTTP client sets. */
const OWN_HEADERS = new Set([
  'accept',
  'api-key',
  'authorization',
  'connection',
  'content-encoding',
  'content-length',
  'content-type',
  'expect',
  'host',
  'keep-alive',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'user-agent',
]);
/** The names of headers: RFC 9110, section 5.6.2. */
const HEADER_NAME = /^[\w!#$%&'*+.^`|~-]+$/;

const isHeader = (entry: readonly [string, unknown]): entry is readonly [string, string] =>
  typeof entry[1] === 'string' && HEADER_NAME.test(entry[0]);

/** Reads MODEL_HEADERS. Its values are never part of a problem: a gateway's header may be a key. */
function readHeaders(settings: SettingsReader): Record<string, string> {
  const name = 'MODEL_HEADERS';
  const text = settings.text(name);
  if (text === undefined) return {};
  const entries = parseObject(text).map(([key, value]) => [key.toLowerCase(), value] as const);
  if (entries.length === 0 || !entries.every(isHeader)) {
    settings.problems.push(
      `${name} must be a JSON object of headers with text values, like {"x-portkey-provider": "openai"}.`,
    );
    return {};
  }
  const own = entries.find(([key]) => OWN_HEADERS.has(key));
  if (own) {
    settings.problems.push(`${name} must not contain "${own[0]}", which the app sets itself.`);
    return {};
  }
  settings.checkKeys(
    name,
    entries.map(([, value]) => value),
  );
  return Object.fromEntries(entries);
}

/** The entries of a JSON object; none when it is no object. */
function parseObject(text: string): [string, unknown][] {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? Object.entries(value) : [];
  } catch {
    return [];
  }
}

/** An identity belongs to one cloud, so all endpoints that it signs in to must be in the same cloud. */
function readIdentity(
  settings: SettingsReader,
  endpoints: ModelConfig['endpoints'],
  timeoutMs: number,
): Pick<ModelConfig, 'identity' | 'tokenScope'> {
  const authority = settings.httpsUrl('AZURE_AUTHORITY_HOST');
  const [cloud, ...others] = endpoints.map(({ url }) => cloudOf(url, authority));
  const { authorityHost, modelScope } = cloud ?? cloudOf();
  if (endpoints[0].isAzure && endpoints[0].apiKey === undefined && others.some((other) => other !== cloud)) {
    settings.problems.push(
      'AZURE_OPENAI_FALLBACK_ENDPOINTS must be in the same cloud as AZURE_OPENAI_ENDPOINT, unless all endpoints have a key.',
    );
  }
  return {
    identity: {
      clientId: settings.text('AZURE_CLIENT_ID'),
      authorityHost: authority ?? authorityHost,
      timeoutMs,
    },
    tokenScope: modelScope,
  };
}
