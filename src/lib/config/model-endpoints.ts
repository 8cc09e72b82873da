/** The settings of the model's endpoints: addresses, deployments and keys. */
import { isLocal, type SettingsReader } from './settings-reader.ts';

/** One endpoint of the model. */
export interface EndpointConfig {
  /** Base address of the resource or of its v1 API, without a trailing slash. */
  url: string;
  /** `deployments`: the API with one path for each deployment; `v1`: the API under `/openai/v1/`. */
  api: 'deployments' | 'v1';
  /** False for an OpenAI-compatible server that is not Azure's. */
  isAzure: boolean;
  /** Name of the deployment; on a server that is not Azure's, name of the model. */
  deployment: string;
  /** When undefined, the app signs in with its managed identity on Azure, and sends no key elsewhere. */
  apiKey: string | undefined;
}

/** How log lines name an endpoint: its deployment and its host. */
export const endpointName = ({ deployment, url }: EndpointConfig): string =>
  `"${deployment}" at ${new URL(url).hostname}`;

/** The endpoints of the settings. */
export interface Endpoints {
  /** The primary endpoint, then the fallback endpoints in the order in which they are tried. */
  endpoints: [EndpointConfig, ...EndpointConfig[]];
  /** Undefined when neither a setting nor an address has one. */
  apiVersion: string | undefined;
}

const DEPLOYMENT = 'AZURE_OPENAI_CHAT_DEPLOYMENT_NAME';
const FALLBACKS = 'AZURE_OPENAI_FALLBACK_ENDPOINTS';

/** Reads them. Invalid values are added to the problems of `settings`. */
export function readEndpoints(settings: SettingsReader): Endpoints {
  const text = settings.text('AZURE_OPENAI_ENDPOINT') ?? settings.missing('AZURE_OPENAI_ENDPOINT');
  const apiKey = settings.text('AZURE_OPENAI_API_KEY');
  const fallbackTexts = settings.list(FALLBACKS);
  const keys = settings.list('AZURE_OPENAI_FALLBACK_API_KEYS');
  if (keys.length !== (apiKey === undefined ? 0 : fallbackTexts.length)) {
    settings.problems.push(
      `AZURE_OPENAI_FALLBACK_API_KEYS must have one key for each of ${FALLBACKS}, and none without AZURE_OPENAI_API_KEY.`,
    );
  }
  settings.checkKeys('AZURE_OPENAI_API_KEY', apiKey === undefined ? [] : [apiKey]);
  settings.checkKeys('AZURE_OPENAI_FALLBACK_API_KEYS', keys);
  const primary = text === '' ? NO_ADDRESS : readAddress(settings, 'AZURE_OPENAI_ENDPOINT', text);
  const fallbacks = fallbackTexts.map((each) => readFallback(settings, each));
  // A fallback that names a deployment may have another one.
  const same = [primary, ...fallbacks.filter(({ isNamed }) => !isNamed)];
  const inAddresses = same.map(({ deployment }) => deployment);
  const deployment = commonValue(settings, DEPLOYMENT, inAddresses) ?? settings.missing(DEPLOYMENT);
  const versions = [primary, ...fallbacks].map(({ apiVersion }) => apiVersion);
  return {
    endpoints: [
      { ...toEndpoint(primary, deployment), apiKey },
      ...fallbacks.map((fallback, index) => ({
        ...toEndpoint(fallback, fallback.deployment ?? deployment),
        apiKey: keys[index],
      })),
    ],
    apiVersion: commonValue(settings, 'AZURE_OPENAI_API_VERSION', versions),
  };
}

/** A fallback endpoint whose deployment is named before its address. */
const NAMED = /^(?!https?:)(?<name>[^=]+)=(?<address>.*)$/i;

/** Reads `ADDRESS` or `DEPLOYMENT=ADDRESS`. */
function readFallback(settings: SettingsReader, text: string): ModelAddress & { isNamed: boolean } {
  const { name, address = text } = NAMED.exec(text)?.groups ?? {};
  const read = readAddress(settings, FALLBACKS, address.trim());
  return { ...read, isNamed: name !== undefined, deployment: name?.trim() ?? read.deployment };
}

const NO_ADDRESS: ModelAddress = {
  url: '',
  api: 'deployments',
  isAzure: true,
  deployment: undefined,
  apiVersion: undefined,
};

function readAddress(settings: SettingsReader, name: string, text: string): ModelAddress {
  const url = URL.parse(text);
  const address = parseModelAddress(text);
  const allowsHttp = settings.oneOf('MODEL_ALLOW_HTTP', ['on', 'off']) === 'on';
  const problem = addressProblem(url, address, allowsHttp);
  if (problem !== null) settings.problems.push(`${name} ${problem}`);
  return address ?? { ...NO_ADDRESS, url: text };
}

/** What is wrong with an address, as the end of a sentence; null when nothing is. */
function addressProblem(
  url: URL | null,
  address: ModelAddress | undefined,
  allowsHttp: boolean,
): string | null {
  // `ollama:11434/v1` is an address with the protocol `ollama:`.
  if (url === null || !/^https?:$/.test(url.protocol))
    return 'must be an address that begins with https:// or http://, like https://NAME.openai.azure.com or http://localhost:11434/v1.';
  const isPlain = url.protocol === 'http:';
  if (isPlain && AZURE_HOST.test(url.hostname))
    return 'must be an address that begins with https://: Azure has no other.';
  if (isPlain && !isLocal(url) && !allowsHttp)
    return 'is a plain http address of another machine: questions and answers would cross the network unencrypted. Use https, or set MODEL_ALLOW_HTTP to "on" where you trust the network, as between containers.';
  if (address === undefined)
    return 'has a path or a query that is not known: use https://NAME.openai.azure.com, the address that the portal shows for chat completions, or for another server its address up to /v1.';
  if (isPlain && address.isAzure && url.pathname === '/')
    return 'needs the path of an OpenAI-compatible server: add /v1, as in http://localhost:11434/v1.';
  return null;
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

const toEndpoint = ({ url, api, isAzure }: ModelAddress, deployment: string) => ({
  url,
  api,
  isAzure,
  deployment,
});

/** The parts of an Azure OpenAI address. */
export interface ModelAddress {
  /** Base address of the resource or of its v1 API, without a trailing slash. */
  url: string;
  /** `deployments`: the API with one path for each deployment; `v1`: the API under `/openai/v1/`. */
  api: 'deployments' | 'v1';
  /** False for an OpenAI-compatible server that is not Azure's. */
  isAzure: boolean;
  deployment: string | undefined;
  apiVersion: string | undefined;
}

/** Azure's own hosts have no path before `/openai`; a gateway may have one. */
const AZURE_HOST = /\.(openai|cognitiveservices|services\.ai)\.azure\.(com|us|cn)$/;
/** An operation outside `/openai`: the client would append the operation to it a second time. */
const OPERATION_IN_PREFIX = /\/(deployments|chat\/completions|responses)(\/|$)/;
/** A gateway's prefix, the API and the operation: learn.microsoft.com/azure/ai-foundry/openai/reference */
const PATH = /^(?<prefix>.*?)(?:\/openai(?<v1>\/v1)?(?<operation>\/.*)?)?$/;
const DEPLOYMENT_OPERATION = /^\/deployments(?:\/(?<name>[^/]+)(?:\/chat(?:\/completions)?)?)?$/;
/** Operations without a deployment name. Chat completions have the same base address. */
const OPERATION = /^\/(responses|chat\/completions|models)$/;

/**
 * Base addresses of other OpenAI-compatible servers: `/v1` of OpenAI itself, Ollama, vLLM and LM Studio, `/inference` of
 * GitHub Models.
 */
const OTHER_SERVER = /^(?<base>.*\/(?:v1|inference))(?:\/chat\/completions|\/responses|\/models)?$/;

/** Parses an address. Returns undefined when it is not the address of a model. */
function parseModelAddress(text: string): ModelAddress | undefined {
  const url = URL.parse(text);
  const path = url?.pathname.replace(/\/+$/, '') ?? '';
  const base = url && !path.includes('/openai/') ? OTHER_SERVER.exec(path)?.groups?.['base'] : undefined;
  if (url && base !== undefined && url.search === '' && !AZURE_HOST.test(url.hostname)) {
    const address = { url: url.origin + base, api: 'v1', isAzure: false } as const;
    return { ...address, deployment: undefined, apiVersion: undefined };
  }
  const { prefix = '', v1, operation } = PATH.exec(path)?.groups ?? {};
  if (!url || OPERATION_IN_PREFIX.test(prefix) || (prefix !== '' && AZURE_HOST.test(url.hostname)))
    return undefined;
  const names = [...url.searchParams.keys()];
  if (names.some((name) => name !== 'api-version') || names.length > 1) return undefined;

  const resource = url.origin + prefix;
  const isKnown = operation === undefined || OPERATION.test(operation);
  // The v1 API needs no `api-version`; its only values are words such as `preview`.
  if (v1) {
    return isKnown
      ? {
          url: `${resource}/openai/v1`,
          api: 'v1',
          isAzure: true,
          deployment: undefined,
          apiVersion: undefined,
        }
      : undefined;
  }
  const deployment = DEPLOYMENT_OPERATION.exec(operation ?? '');
  const name = decode(deployment?.groups?.['name']);
  if (name === null || !(isKnown || deployment)) return undefined;
  return {
    url: resource,
    api: 'deployments',
    isAzure: true,
    deployment: name,
    apiVersion: url.searchParams.get('api-version') || undefined,
  };
}

/** Decodes percent-encoding; null when it is invalid. */
function decode(part: string | undefined): string | undefined | null {
  try {
    return part === undefined ? undefined : decodeURIComponent(part);
  } catch {
    return null;
  }
}
