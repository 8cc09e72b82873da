/** Addresses of Azure OpenAI as its portals show them: of the resource, of an API, or of one operation. */

/** What an address says. */
export interface ModelAddress {
  /** Of the Azure OpenAI resource (or of its v1 API), without a slash at its end. */
  url: string;
  api: 'deployments' | 'v1';
  deployment: string | undefined;
  apiVersion: string | undefined;
}

/** On these hosts nothing comes before `/openai`; a gateway may have its own path there. */
const AZURE_HOST = /\.(openai|cognitiveservices|services\.ai)\.azure\.(com|us|cn)$/;
/** An operation, but not below `/openai`: what is added there would double it. */
const MISPLACED = /\/(deployments|chat\/completions|responses)(\/|$)/;
/** Path before it, version, what follows. learn.microsoft.com/azure/ai-foundry/openai/reference */
const PATH = /^(?<prefix>.*?)(?:\/openai(?<v1>\/v1)?(?<operation>\/.*)?)?$/;
const DEPLOYMENT_OPERATION = /^\/deployments(?:\/(?<name>[^/]+)(?:\/chat(?:\/completions)?)?)?$/;
/** Operations that name no deployment; the model is asked for chat completions at the same place. */
const OPERATION = /^\/(responses|chat\/completions|models)$/;

/** Reads an address; undefined when it is none at which chat completions can be asked for. */
export function parseModelAddress(text: string): ModelAddress | undefined {
  const url = URL.parse(text);
  const path = url?.pathname.replace(/\/+$/, '') ?? '';
  const { prefix = '', v1, operation } = PATH.exec(path)?.groups ?? {};
  if (!url || MISPLACED.test(prefix) || (prefix !== '' && AZURE_HOST.test(url.hostname))) return undefined;
  const names = [...url.searchParams.keys()];
  if (names.some((name) => name !== 'api-version') || names.length > 1) return undefined;

  const base = url.origin + prefix;
  const isKnown = operation === undefined || OPERATION.test(operation);
  // Its versions are words such as `preview`, which it takes by itself.
  if (v1) {
    return isKnown
      ? { url: `${base}/openai/v1`, api: 'v1', deployment: undefined, apiVersion: undefined }
      : undefined;
  }
  const deployment = DEPLOYMENT_OPERATION.exec(operation ?? '');
  const name = decode(deployment?.groups?.['name']);
  if (name === null || !(isKnown || deployment)) return undefined;
  return {
    url: base,
    api: 'deployments',
    deployment: name,
    apiVersion: url.searchParams.get('api-version') || undefined,
  };
}

/** Null when it is no text. */
function decode(part: string | undefined): string | undefined | null {
  try {
    return part === undefined ? undefined : decodeURIComponent(part);
  } catch {
    return null;
  }
}
