/** Parses the Azure OpenAI addresses that the portals show: of a resource, of the v1 API, or of one operation. */

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
export function parseModelAddress(text: string): ModelAddress | undefined {
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
