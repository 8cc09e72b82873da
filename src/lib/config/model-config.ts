/** The settings of the model: its endpoints, its credentials, the parameters of its calls and its prices. */
import { cloudOf, type IdentityConfig } from './clouds.ts';
import { type ModelAddress, parseModelAddress } from './model-address.ts';
import type { SettingsReader } from './settings-reader.ts';

/** One Azure OpenAI endpoint. */
export interface EndpointConfig {
  /** Base address of the resource or of its v1 API, without a trailing slash. */
  url: string;
  /** `deployments`: the API with one path for each deployment; `v1`: the API under `/openai/v1/`. */
  api: 'deployments' | 'v1';
  /** When undefined, the app signs in with its managed identity. */
  apiKey: string | undefined;
}

/** Prices of one million tokens, in the currency of the settings. */
export interface Prices {
  input: number;
  /** For prompt tokens from the model's prompt cache. */
  cachedInput: number;
  output: number;
}

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
  deployment: string;
  /** When undefined, not sent, so the model uses its default. So are `maxOutputTokens` and `reasoningEffort`. */
  temperature: number | undefined;
  maxOutputTokens: number | undefined;
  reasoningEffort: string | undefined;
  systemPrompt: string;
  /** Null when no prices are set. */
  prices: Prices | null;
}

const DEFAULT_SYSTEM_PROMPT = 'You are a helpful assistant. Answer clearly and concisely.';

/**
 * Reads the model settings. Invalid values are added to the problems of `settings`. `tokenTimeoutMs` is the time limit
 * for getting a token.
 */
export function readModelConfig(settings: SettingsReader, tokenTimeoutMs: number): ModelConfig {
  const { endpoints, deployment, apiVersion } = readEndpoints(settings);
  return {
    endpoints,
    maxConcurrency: settings.number('MODEL_MAX_CONCURRENCY', { min: 1, integer: true }) ?? 512,
    ...readIdentity(settings, endpoints, tokenTimeoutMs),
    apiVersion: apiVersion ?? '2024-10-21',
    deployment: deployment ?? settings.missing('AZURE_OPENAI_CHAT_DEPLOYMENT_NAME'),
    temperature: settings.number('MODEL_TEMPERATURE', { min: 0, max: 2 }),
    maxOutputTokens: settings.number('MODEL_MAX_OUTPUT_TOKENS', { min: 1, integer: true }),
    reasoningEffort: readReasoningEffort(settings),
    systemPrompt: settings.text('SYSTEM_PROMPT') ?? DEFAULT_SYSTEM_PROMPT,
    prices: readPrices(settings),
  };
}

/** Any lower-case word is accepted, because newer models introduce new values. */
function readReasoningEffort(settings: SettingsReader): string | undefined {
  const effort = settings.text('MODEL_REASONING_EFFORT');
  if (effort !== undefined && !/^[a-z]{1,20}$/.test(effort)) {
    settings.problems.push('MODEL_REASONING_EFFORT must be a word like "low", "medium" or "high".');
  }
  return effort;
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
  if (endpoints[0].apiKey === undefined && others.some((other) => other !== cloud)) {
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

function readEndpoints(settings: SettingsReader) {
  const text = settings.text('AZURE_OPENAI_ENDPOINT') ?? settings.missing('AZURE_OPENAI_ENDPOINT');
  const apiKey = settings.text('AZURE_OPENAI_API_KEY');
  const fallbackTexts = settings.list('AZURE_OPENAI_FALLBACK_ENDPOINTS');
  const keys = settings.list('AZURE_OPENAI_FALLBACK_API_KEYS');
  if (keys.length !== (apiKey === undefined ? 0 : fallbackTexts.length)) {
    settings.problems.push(
      'AZURE_OPENAI_FALLBACK_API_KEYS must have one key for each of AZURE_OPENAI_FALLBACK_ENDPOINTS, and none without AZURE_OPENAI_API_KEY.',
    );
  }
  settings.checkKeys('AZURE_OPENAI_API_KEY', apiKey === undefined ? [] : [apiKey]);
  settings.checkKeys('AZURE_OPENAI_FALLBACK_API_KEYS', keys);
  const primary = text === '' ? NO_ADDRESS : readAddress(settings, 'AZURE_OPENAI_ENDPOINT', text);
  const fallbacks = fallbackTexts.map((each) =>
    readAddress(settings, 'AZURE_OPENAI_FALLBACK_ENDPOINTS', each),
  );
  const addresses = [primary, ...fallbacks];
  const deployments = addresses.map(({ deployment }) => deployment);
  const versions = addresses.map(({ apiVersion }) => apiVersion);
  const endpoints: ModelConfig['endpoints'] = [
    toEndpoint(primary, apiKey),
    ...fallbacks.map((fallback, index) => toEndpoint(fallback, keys[index])),
  ];
  return {
    endpoints,
    deployment: commonValue(settings, 'AZURE_OPENAI_CHAT_DEPLOYMENT_NAME', deployments),
    apiVersion: commonValue(settings, 'AZURE_OPENAI_API_VERSION', versions),
  };
}

const NO_ADDRESS: ModelAddress = {
  url: '',
  api: 'deployments',
  deployment: undefined,
  apiVersion: undefined,
};

function readAddress(settings: SettingsReader, name: string, text: string): ModelAddress {
  const problemsBefore = settings.problems.length;
  const url = settings.parseHttpsUrl(name, text);
  const address = parseModelAddress(text);
  if (address === undefined && settings.problems.length === problemsBefore) {
    settings.problems.push(
      `${name} has a path or a query that is not part of Azure OpenAI: use https://NAME.openai.azure.com, or the address that the portal shows for chat completions.`,
    );
  }
  return address ?? { ...NO_ADDRESS, url };
}

/** Returns the value that the setting and the addresses agree on; undefined when none of them has one. */
function commonValue(
  settings: SettingsReader,
  name: string,
  inAddresses: (string | undefined)[],
): string | undefined {
  const values = new Set([settings.text(name), ...inAddresses].filter((value) => value !== undefined));
  if (values.size > 1) {
    settings.problems.push(
      `${name} and the addresses in AZURE_OPENAI_ENDPOINT and AZURE_OPENAI_FALLBACK_ENDPOINTS have different values: use one value.`,
    );
  }
  return [...values][0];
}

const toEndpoint = ({ url, api }: ModelAddress, apiKey: string | undefined): EndpointConfig => ({
  url,
  api,
  apiKey,
});

/** The cost would be wrong if a price were missing, so either all three prices are set or none. */
function readPrices(settings: SettingsReader): Prices | null {
  const names = ['MODEL_PRICE_INPUT', 'MODEL_PRICE_CACHED_INPUT', 'MODEL_PRICE_OUTPUT'];
  const [input, cachedInput, output] = names.map((name) => settings.number(name, { min: 0 }));
  if (input !== undefined && cachedInput !== undefined && output !== undefined) {
    return { input, cachedInput, output };
  }
  // An invalid number is already in the problems.
  const missing = names.filter((name) => settings.text(name) === undefined);
  if (missing.length > 0 && missing.length < names.length) {
    settings.problems.push(`${missing.join(' and ')} must be set too: set all three prices or none.`);
  }
  return null;
}
