/**
 * The headers that say how much of a deployment's quota is left in this minute. The service does not promise exact
 * numbers: github.com/Azure/azure-rest-api-specs/issues/26884 and github.com/EvolvingPrograms/oaib/issues/11.
 */

/** A deployment of tier 1: docs/models.md. */
const TOKENS_PER_MINUTE = 1_000_000;
const REQUESTS_PER_MINUTE = 1000;
const MINUTE_MS = 60_000;

/** The quota of one deployment. Nothing is refused: that is what the fault `status` is for. */
export class Quota {
  #minute = 0;
  #requests = 0;
  #tokens = 0;

  /** Counts a request of so many tokens. Returns the headers of its answer. */
  use(tokens: number): Record<string, string> {
    const minute = Math.floor(Date.now() / MINUTE_MS);
    if (minute !== this.#minute) this.#requests = this.#tokens = 0;
    this.#minute = minute;
    this.#requests++;
    this.#tokens += tokens;
    return {
      'x-ratelimit-limit-requests': String(REQUESTS_PER_MINUTE),
      'x-ratelimit-limit-tokens': String(TOKENS_PER_MINUTE),
      'x-ratelimit-remaining-requests': String(Math.max(0, REQUESTS_PER_MINUTE - this.#requests)),
      'x-ratelimit-remaining-tokens': String(Math.max(0, TOKENS_PER_MINUTE - this.#tokens)),
    };
  }
}
