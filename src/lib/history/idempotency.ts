/** `Idempotency-Key`: a question that is sent again is answered once. A row of the session says who answers it. */
import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { digest, type SessionKey, sessionPartition } from './row-keys.ts';
import { type Row, type RowAction, RowConflictError, type RowStore } from './row-store.ts';

/** How long a key is remembered. */
export const KEY_LIFETIME_MS = 24 * 3_600_000;
/** Keys of these rows; they sort after interactions and markers. */
export const CLAIM_PREFIX = 'idem-';

/** How often a claim is tried that finds neither a free place nor who holds it, and how long it pauses in between. */
const MAX_ATTEMPTS = 5;
const PAUSE_MS = 40;

/** The right to answer a question, held by one request at a time. */
export interface Claim {
  session: SessionKey;
  key: string;
  question: string;
  etag: string;
}

/** Who asks for the right to answer which question. */
export interface ClaimRequest {
  session: SessionKey;
  idempotencyKey: string;
  /** All that makes it the same question. */
  content: unknown[];
  /** Until when it is answered, in milliseconds since 1970. */
  leaseUntil: number;
}

/** What became of the wish to answer a question. */
export type ClaimResult =
  | { state: 'mine'; claim: Claim }
  /** Another request is answering it. */
  | { state: 'pending' }
  /** It was answered: the key of its interaction. */
  | { state: 'answered'; interaction: string }
  /** The same key was used for another question. */
  | { state: 'other' };

/** Times in milliseconds since 1970, as text. */
interface ClaimRow extends Record<string, string> {
  /** Digest of what was asked. */
  question: string;
  owner: string;
  /** Until then its owner is answering. */
  leaseUntil: string;
  storedAt: string;
  /** Key of the interaction; empty while there is none. */
  interaction: string;
}

/** Hands out claims. Every method rejects when the store cannot be reached. */
export class Claims {
  readonly #store: RowStore;

  constructor(store: RowStore) {
    this.#store = store;
  }

  /** Asks for the right to answer a question. Ends with `signal`. */
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
        return { state: 'mine', claim: { session, key, question, etag: result } };
      if (result !== null) return result;
      await delay(PAUSE_MS * 2 ** attempt * (0.5 + Math.random()), undefined, { signal });
    }
    throw new Error('The state of an Idempotency-Key kept changing.');
  }

  /** Gives the etag of the claim when it is ours, or whose it is; null when that changed meanwhile. */
  async #tryClaim(partition: string, key: string, own: ClaimRow): Promise<string | ClaimResult | null> {
    try {
      return await this.#store.insert(partition, key, own);
    } catch (error) {
      if (!(error instanceof RowConflictError)) throw error;
    }
    const row = await this.#store.get(partition, key);
    // Released between the two calls.
    if (!row) return null;
    const result = judge(row, own);
    if (result === 'ours') return row.etag;
    if (result !== 'free') return result;
    try {
      return await this.#store.replace(partition, key, own, row.etag);
    } catch (error) {
      // Somebody else was faster.
      if (!(error instanceof RowConflictError)) throw error;
      return null;
    }
  }

  /** What to do together with storing the interaction with this key: the claim then leads to it. */
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

  /** Gives a claim back: there is no answer. Does nothing when it leads to one by now, or is another's. */
  async release({ session, key, etag }: Claim): Promise<void> {
    try {
      await this.#store.removeIf(sessionPartition(session), key, etag);
    } catch (error) {
      if (!(error instanceof RowConflictError)) throw error;
    }
  }
}

function judge({ properties }: Row, own: ClaimRow): ClaimResult | 'ours' | 'free' {
  const row = properties as ClaimRow;
  // The store repeats what it got no answer to.
  if (row.owner === own.owner) return 'ours';
  if (Number(row.storedAt) < Date.now() - KEY_LIFETIME_MS) return 'free';
  if (row.question !== own.question) return { state: 'other' };
  if (row.interaction !== '') return { state: 'answered', interaction: row.interaction };
  return Number(row.leaseUntil) < Date.now() ? 'free' : { state: 'pending' };
}
