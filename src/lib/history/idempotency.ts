/**
 * `Idempotency-Key`: a question that is sent several times is answered once. For each key, a row in the session's
 * partition records which request answers the question, and later the interaction that has the answer.
 */
import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { digest, type SessionKey, sessionPartition } from './session-rows.ts';
import { type Row, type RowAction, RowConflictError, type RowStore } from './row-store.ts';

/** How long an idempotency key is remembered. */
export const KEY_LIFETIME_MS = 24 * 3_600_000;
/** Start of these rows' keys, which sort after interactions and markers. */
export const CLAIM_PREFIX = 'idem-';

/** Attempts to claim while other requests keep changing the row, and the first pause between them; it doubles. */
const MAX_ATTEMPTS = 5;
const PAUSE_MS = 40;

/** The exclusive right to answer a question. One request at a time holds it. */
export interface Claim {
  session: SessionKey;
  key: string;
  question: string;
  etag: string;
}

/** A request to claim a question. */
export interface ClaimRequest {
  session: SessionKey;
  idempotencyKey: string;
  /** Everything that must be equal for two questions to be the same. */
  content: unknown[];
  /** When the claim expires unless it is fulfilled, in milliseconds since 1970. */
  leaseUntil: number;
}

/** The result of a request to claim a question. */
export type ClaimResult =
  | { state: 'claimed'; claim: Claim }
  /** Another request is answering the question. */
  | { state: 'pending' }
  /** The question was answered; `interaction` is the key of the interaction's row. */
  | { state: 'answered'; interaction: string }
  /** The idempotency key was used for another question. */
  | { state: 'conflict' };

/** The properties of the row. Times in milliseconds since 1970, as text. */
interface ClaimRow extends Record<string, string> {
  /** Digest of {@link ClaimRequest.content}. */
  question: string;
  /** Random id of the call that wrote the row. */
  owner: string;
  leaseUntil: string;
  storedAt: string;
  /** Key of the interaction's row; empty while there is no answer. */
  interaction: string;
}

/** Manages claims. Every method rejects when the store fails. */
export class Claims {
  readonly #store: RowStore;

  constructor(store: RowStore) {
    this.#store = store;
  }

  /** Tries to claim a question. Rejects with an AbortError when `signal` aborts a pause between attempts. */
  async claim(request: ClaimRequest, signal?: AbortSignal): Promise<ClaimResult> {
    const { session, idempotencyKey, content, leaseUntil } = request;
    const partition = sessionPartition(session);
    const key = CLAIM_PREFIX + digest(idempotencyKey);
    const question = digest(...content);
    const own: ClaimRow = {
      question,
      owner: randomUUID(),
      leaseUntil: String(leaseUntil),
      storedAt: String(Date.now()),
      interaction: '',
    };
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
      const result = await this.#tryClaim(partition, key, own);
      if (typeof result === 'string')
        return { state: 'claimed', claim: { session, key, question, etag: result } };
      if (result !== null) return result;
      await delay(PAUSE_MS * 2 ** attempt * (0.5 + Math.random()), undefined, { signal });
    }
    throw new Error(
      `An Idempotency-Key could not be claimed in ${MAX_ATTEMPTS} attempts: its row kept changing.`,
    );
  }

  /** Gives the etag of our claim, or the state of another request's claim; null when the row changed meanwhile. */
  async #tryClaim(partition: string, key: string, own: ClaimRow): Promise<string | ClaimResult | null> {
    try {
      return await this.#store.insert(partition, key, own);
    } catch (error) {
      if (!(error instanceof RowConflictError)) throw error;
    }
    const row = await this.#store.get(partition, key);
    // The claim was released between the two calls.
    if (!row) return null;
    const result = stateOf(row, own);
    if (result === 'ours') return row.etag;
    if (result !== 'free') return result;
    try {
      return await this.#store.replace(partition, key, own, row.etag);
    } catch (error) {
      // Another request claimed it first.
      if (!(error instanceof RowConflictError)) throw error;
      return null;
    }
  }

  /**
   * Gives the action that marks the question as answered by the interaction with this key. It belongs into the
   * transaction that stores the interaction.
   */
  fulfil({ key, question, etag }: Claim, interaction: string): RowAction {
    const properties: ClaimRow = {
      question,
      owner: '',
      leaseUntil: '0',
      storedAt: String(Date.now()),
      interaction,
    };
    return { type: 'replace', key, properties, etag };
  }

  /**
   * Releases a claim whose question got no answer. Does nothing when the claim was fulfilled, or has expired and belongs
   * to another request.
   */
  async release({ session, key, etag }: Claim): Promise<void> {
    try {
      await this.#store.removeIf(sessionPartition(session), key, etag);
    } catch (error) {
      if (!(error instanceof RowConflictError)) throw error;
    }
  }
}

function stateOf({ properties }: Row, own: ClaimRow): ClaimResult | 'ours' | 'free' {
  const row = properties as ClaimRow;
  // The store retries calls without a response, so an earlier attempt may have written our row.
  if (row.owner === own.owner) return 'ours';
  if (Number(row.storedAt) < Date.now() - KEY_LIFETIME_MS) return 'free';
  if (row.question !== own.question) return { state: 'conflict' };
  if (row.interaction !== '') return { state: 'answered', interaction: row.interaction };
  return Number(row.leaseUntil) < Date.now() ? 'free' : { state: 'pending' };
}
