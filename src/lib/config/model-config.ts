/** The settings of the model, for config.ts alone: where it is, how it is asked and what it costs. */
import { cloudOf, type IdentityConfig } from './clouds.ts';
import { type ModelAddress, parseModelAddress } from './model-address.ts';

import type { SettingsReader } from './settings-reader.ts';

/** An address at which the model is asked. */
export interface EndpointConfig {
  /** Of the Azure OpenAI resource (or of its v1 API), without a slash at its end. */
  url: string;
  /** Which of Azure OpenAI's APIs: the one with a path per deployment, or `/openai/v1/`. */
  api: 'deployments' | 'v1';
  /** Undefined: the app signs in with its identity. */
  apiKey: string | undefined;
}

/** Of a million tokens each, in whatever currency the settings have. */
export interface Prices {
  input: number;
  /** Of a prompt's tokens that the model had cached. */
  cachedInput: number;
  output: number;
}

/** Where the model is and how it is asked. */
export interface ModelConfig {
  /** The primary one, then its fallbacks in the order in which they are tried. */
  endpoints: [EndpointConfig, ...EndpointConfig[]];
  /** Calls under way at once in this process; as many more wait. */
  maxConcurrency: number;
  /** Who signs in at endpoints that have no key. */
  identity: IdentityConfig;
  /** What its token is for. */
  tokenScope: string;
  apiVersion: string;
  deployment: string;
  /** Undefined: not sent, as are the next two; the model's own default holds. */
  temperature: number | undefined;
  maxOutputTokens: number | undefined;
  reasoningEffort: string | undefined;
  systemPrompt: string;
  /** Null when no price is set. */
  prices: Prices | null;
}

const DEFAULT_SYSTEM_PROMPT = 'You are a helpful assistant. Answer clearly and concisely.';

/** Reads them; what is wrong is added to the problems of `read`. `tokenTimeoutMs`: longest wait for a token. */
export function readModel(read: SettingsReader, tokenTimeoutMs: number): ModelConfig {
  const { endpoints, deployment, apiVersion } = readEndpoints(read);
  return {
    endpoints,
    maxConcurrency: read.number('MODEL_MAX_CONCURRENCY', { min: 1, integer: true }) ?? 512,
    ...readIdentity(read, endpoints, tokenTimeoutMs),
    apiVersion: apiVersion ?? '2024-10-21',
    deployment: deployment ?? read.missing('AZURE_OPENAI_CHAT_DEPLOYMENT_NAME'),
    temperature: read.number('MODEL_TEMPERATURE', { min: 0, max: 2 }),
    maxOutputTokens: read.number('MODEL_MAX_OUTPUT_TOKENS', { min: 1, integer: true }),
    reasoningEffort: readReasoningEffort(read),
    systemPrompt: read.text('SYSTEM_PROMPT') ?? DEFAULT_SYSTEM_PROMPT,
    prices: readPrices(read),
  };
}

/** Which words there are depends on the model, and newer models have new ones. */
function readReasoningEffort(read: SettingsReader): string | undefined {
  const effort = read.text('MODEL_REASONING_EFFORT');
  if (effort !== undefined && !/^[a-z]{1,20}$/.test(effort)) {
    read.problems.push('MODEL_REASONING_EFFORT must be a word like "low", "medium" or "high".');
  }
  return effort;
}

/** One identity is in one cloud, so the endpoints at which it signs in must be too. */
function readIdentity(
  read: SettingsReader,
  endpoints: ModelConfig['endpoints'],
  timeoutMs: number,
): Pick<ModelConfig, 'identity' | 'tokenScope'> {
  const authority = read.endpoint('AZURE_AUTHORITY_HOST');
  const [cloud, ...others] = endpoints.map(({ url }) => cloudOf(url, authority));
  const { authorityHost, modelScope } = cloud ?? cloudOf();
  if (endpoints[0].apiKey === undefined && others.some((other) => other !== cloud)) {
    read.problems.push(
      'AZURE_OPENAI_FALLBACK_ENDPOINTS must be in the cloud of AZURE_OPENAI_ENDPOINT, or all have a key.',
    );
  }
  return {
    identity: {
      clientId: read.text('AZURE_CLIENT_ID'),
      authorityHost: authority ?? authorityHost,
      timeoutMs,
    },
    tokenScope: modelScope,
  };
}

function readEndpoints(read: SettingsReader) {
  const text = read.text('AZURE_OPENAI_ENDPOINT') ?? read.missing('AZURE_OPENAI_ENDPOINT');
  const apiKey = read.text('AZURE_OPENAI_API_KEY');
  const texts = read.list('AZURE_OPENAI_FALLBACK_ENDPOINTS');
  const keys = read.list('AZURE_OPENAI_FALLBACK_API_KEYS');
  if (keys.length !== (apiKey === undefined ? 0 : texts.length)) {
    read.problems.push(
      'AZURE_OPENAI_FALLBACK_API_KEYS must have one key for each of AZURE_OPENAI_FALLBACK_ENDPOINTS, and none without AZURE_OPENAI_API_KEY.',
    );
  }
  read.checkKeys('AZURE_OPENAI_API_KEY', apiKey === undefined ? [] : [apiKey]);
  read.checkKeys('AZURE_OPENAI_FALLBACK_API_KEYS', keys);
  const primary = text === '' ? NOWHERE : readAddress(read, 'AZURE_OPENAI_ENDPOINT', text);
  const fallbacks = texts.map((each) => readAddress(read, 'AZURE_OPENAI_FALLBACK_ENDPOINTS', each));
  const addresses = [primary, ...fallbacks];
  const deployments = addresses.map(({ deployment }) => deployment);
  const versions = addresses.map(({ apiVersion }) => apiVersion);
  const endpoints: ModelConfig['endpoints'] = [
    toEndpoint(primary, apiKey),
    ...fallbacks.map((fallback, index) => toEndpoint(fallback, keys[index])),
  ];
  return {
    endpoints,
    deployment: agree(read, 'AZURE_OPENAI_CHAT_DEPLOYMENT_NAME', deployments),
    apiVersion: agree(read, 'AZURE_OPENAI_API_VERSION', versions),
  };
}

const NOWHERE: ModelAddress = {
  url: '',
  api: 'deployments',
  deployment: undefined,
  apiVersion: undefined,
};

function readAddress(read: SettingsReader, name: string, text: string): ModelAddress {
  const count = read.problems.length;
  const url = read.checkAddress(name, text);
  const address = parseModelAddress(text);
  if (address === undefined && read.problems.length === count) {
    read.problems.push(
      `${name} has a path or a query that Azure OpenAI has not: write https://NAME.openai.azure.com, or what the portal shows for chat completions.`,
    );
  }
  return address ?? { ...NOWHERE, url };
}

/** What the setting and all addresses say that say anything; they must say the same. */
function agree(read: SettingsReader, name: string, inAddresses: (string | undefined)[]): string | undefined {
  const said = new Set([read.text(name), ...inAddresses].filter((value) => value !== undefined));
  if (said.size > 1) {
    read.problems.push(
      `${name} and the addresses in AZURE_OPENAI_ENDPOINT and AZURE_OPENAI_FALLBACK_ENDPOINTS say different things: say it once.`,
    );
  }
  return [...said][0];
}

const toEndpoint = ({ url, api }: ModelAddress, apiKey: string | undefined): EndpointConfig => ({
  url,
  api,
  apiKey,
});

/** All or none: what a missing one costs would be a guess. */
function readPrices(read: SettingsReader): Prices | null {
  const names = ['MODEL_PRICE_INPUT', 'MODEL_PRICE_CACHED_INPUT', 'MODEL_PRICE_OUTPUT'];
  const [input, cachedInput, output] = names.map((name) => read.number(name, { min: 0 }));
  if (input !== undefined && cachedInput !== undefined && output !== undefined) {
    return { input, cachedInput, output };
  }
  // One that is no number has been told already.
  const missing = names.filter((name) => read.text(name) === undefined);
  if (missing.length > 0 && missing.length < names.length) {
    read.problems.push(`${missing.join(' and ')} must be set too: prices are known all or not at all.`);
  }
  return null;
}
