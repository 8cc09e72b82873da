/** Watches when the model of an endpoint retires, and tells the operator in time. */
import type { RetirementDates } from './model-catalogue.ts';

/** The first look comes a little after the first answer, so that it does not compete with the first questions. */
const FIRST_LOOK_MS = 2000;
const DAY_MS = 24 * 60 * 60_000;
/** Later looks come up to this part of a day earlier, so that instances do not look in lockstep. */
const JITTER = 0.1;
const TIMEOUT_MS = 10_000;
/** Days before the retirement from which it is logged. Microsoft notifies 60 days before: learn.microsoft.com/azure/foundry/openai/concepts/model-retirements. */
const LOGGED_DAYS = 90;

/** What a watch needs. */
export interface RetirementWatchParts {
  /** Index of the endpoint in the settings. */
  endpoint: number;
  deployment: string;
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
    // Without an answer, the dates of the day before hold.
    this.#dates = await this.#parts.read(signal).catch(() => this.#dates);
    if (!this.#stopping.signal.aborted) this.#log();
    this.#lookIn(DAY_MS * (1 - JITTER * Math.random()));
  }

  #log(): void {
    const { endpoint, deployment, warn } = this.#parts;
    const { days } = this;
    if (days === null || days > LOGGED_DAYS) return;
    const date = new Date(this.#retiresAt() ?? 0).toISOString().slice(0, 10);
    const when = days < 0 ? `was to retire on ${date}` : `retires on ${date}, in ${days} days`;
    // Not the name of the model, which is text of the service.
    warn(
      `The model of deployment ${deployment} (endpoint ${endpoint}) ${when}. Deploy its successor: docs/operations.md, "The model retires".`,
    );
  }
}
