/** The list of models of an Azure OpenAI resource, with the dates on which they retire. */
import type { EndpointConfig } from '../config/config.ts';
import type { ApiClient } from './api-client.ts';

/** Names of models and the times of their retirement, in milliseconds since 1970. */
export type RetirementDates = ReadonlyMap<string, number>;

/**
 * The last stable version of the API whose list is specified with dates: `Model` in Azure/azure-rest-api-specs,
 * specification/cognitiveservices/data-plane/AzureOpenAI/authoring/stable/2024-10-21.
 */
const DATED_VERSION = '2024-10-21';

/** An entry of the list. `deprecation.inference` is in seconds since 1970. */
interface ListedModel {
  id?: unknown;
  deprecation?: { inference?: unknown } | null;
}

/**
 * Reads the dates from the list of the v1 API. Its specification has no dates (`OpenAI.Model` in
 * specification/ai/data-plane/OpenAI.v1), so when it gives none, reads them from the list of the dated API.
 * @throws Error when neither list can be read, or the reason of the signal.
 */
export async function readRetirementDates(
  endpoint: EndpointConfig,
  api: Pick<ApiClient, 'get'>,
  signal: AbortSignal,
): Promise<RetirementDates> {
  const resource = endpoint.api === 'v1' ? endpoint.url.replace(/\/v1$/, '') : `${endpoint.url}/openai`;
  const read = async (path: string) => toDates(await api.get(new URL(resource + path), signal));
  const dates = await read('/v1/models').catch(() => new Map<string, number>());
  signal.throwIfAborted();
  return dates.size > 0 ? dates : read(`/models?api-version=${DATED_VERSION}`);
}

/** The times that have a date: tc39.es/ecma262/#sec-time-values-and-time-range. */
const isDate = (ms: number): boolean => Math.abs(ms) <= 8.64e15;

/** Reads a list. Entries that are not as specified are skipped. @throws Error when it is no list. */
function toDates(text: string): Map<string, number> {
  const { data } = JSON.parse(text) as { data: Iterable<ListedModel | null> };
  const dates = new Map<string, number>();
  for (const model of data) {
    const { id, deprecation } = model ?? {};
    const seconds = deprecation?.inference;
    if (typeof id !== 'string' || typeof seconds !== 'number' || !isDate(1000 * seconds)) continue;
    const name = id.toLowerCase();
    // Older names appear once for each version, without the version: one that has retired cannot have answered.
    dates.set(name, Math.max(dates.get(name) ?? -Infinity, 1000 * seconds));
  }
  return dates;
}
