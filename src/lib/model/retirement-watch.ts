/** Watches when the model of an endpoint retires, and tells the operator in time. */
import type { EndpointConfig } from '../config/config.ts';
import type { ApiClient } from './api-client.ts';

/** The first look comes a little after the first answer, so that it does not compete with the first questions. */
const FIRST_LOOK_MS = 2000;
const DAY_MS = 24 * 60 * 60_000;
/** Later looks come up to this part of a day earlier, so that instances do not all look at the same time. */
const JITTER = 0.1;
const TIMEOUT_MS = 10_000;
/** Days before the retirement from which it is logged. Microsoft notifies 60 days before: learn.microsoft.com/azure/foundry/openai/concepts/model-retirements. */
const LOGGED_DAYS = 90;

/** What a watch needs. */
export interface RetirementWatchParts {
  /** The deployment and its host, for log lines. */
  name: string;
  /** Reads the dates. Rejects when the server has none. */
  read: (signal: AbortSignal) => Promise<RetirementDates>;
  warn: (message: string) => void;
}

/**
 * Looks up the model of one endpoint after its first answer, and then once a day, in the background. Within 90 days before
 * the retirement it logs one line a day. A server without dates is asked again the next day, and nothing is logged.
 */
export class RetirementWatch {
  readonly #parts: RetirementWatchParts;
  readonly #stopping = new AbortController();
  #model: string | undefined;
  #dates: RetirementDates = new Map();
  #timer: NodeJS.Timeout | undefined;

  constructor(parts: RetirementWatchParts) {
    this.#parts = parts;
  }

  /** Call this for each answer of the endpoint, with the name of the model as the answer has it. */
  note(model: string | undefined): void {
    if (!model) return;
    this.#model = model;
    if (this.#timer === undefined) this.#lookIn(FIRST_LOOK_MS);
  }

  /** Whole days until the model retires, negative afterwards; null while its date is not known. */
  get days(): number | null {
    const retiresAt = this.#retiresAt();
    return retiresAt === undefined ? null : Math.floor((retiresAt - Date.now()) / DAY_MS);
  }

  stop(): void {
    this.#stopping.abort();
    clearTimeout(this.#timer);
  }

  #retiresAt(): number | undefined {
    return this.#dates.get(this.#model?.toLowerCase() ?? '');
  }

  #lookIn(ms: number): void {
    if (this.#stopping.signal.aborted) return;
    this.#timer = setTimeout(() => void this.#look(), ms).unref();
  }

  async #look(): Promise<void> {
    const signal = AbortSignal.any([this.#stopping.signal, AbortSignal.timeout(TIMEOUT_MS)]);
    // Without an answer, the dates of the day before remain in use.
    this.#dates = await this.#parts.read(signal).catch(() => this.#dates);
    if (!this.#stopping.signal.aborted) this.#log();
    this.#lookIn(DAY_MS * (1 - JITTER * Math.random()));
  }

  #log(): void {
    const { name, warn } = this.#parts;
    const { days } = this;
    if (days === null || days > LOGGED_DAYS) return;
    const date = new Date(this.#retiresAt() ?? 0).toISOString().slice(0, 10);
    const when = days < 0 ? `was to retire on ${date}` : `retires on ${date}, in ${days} days`;
    // Not the name of the model, which is text of the service.
    warn(
      `The model of deployment ${name} ${when}. Deploy its successor: docs/operations.md, "The model retires".`,
    );
  }
}

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
