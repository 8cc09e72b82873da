/**
 * `Idempotency-Key`: a question that is sent several times is answered once. For each key, a row in the session's
 * partition records which request answers the question, and later the interaction that has the answer.
 */
import { setTimeout as delay } from 'node:timers/promises';
import {
  AFTER_ANSWERS,
  ANSWER_PREFIX,
  type AnswerRow,
  answerRowKey,
  type ClaimEnd,
  claimingRow,
  endedRow,
  isExpired,
  isForgotten,
  type KeyedRequest,
  type StoredAnswer,
  stoppedRow,
  toStoredAnswer,
} from './answer-rows.ts';
import { type SessionKey, sessionPartition } from './session-rows.ts';
import { type RowAction, RowConflictError, type RowStore } from './row-store.ts';

/** Attempts to change a row while other requests keep changing it, and the first pause between them; it doubles. */
const MAX_ATTEMPTS = 5;
const PAUSE_MS = 40;

/** The exclusive right to answer a question. One request at a time holds it. */
export interface Claim {
  session: SessionKey;
  row: AnswerRow;
  /** Of the row, as far as the holder knows. */
  etag: string;
}

/** A request to claim a question. */
export interface ClaimRequest extends KeyedRequest {
  session: SessionKey;
}

/** The result of a request to claim a question. */
export type ClaimResult =
  | { state: 'claimed'; claim: Claim }
  /** Another request is answering the question. */
  | { state: 'pending' }
  /** The question was answered, or stopped with a part of its answer; `interaction` is the key of the row that has it. */
  | { state: 'answered'; interaction: string }
  /** The answer was stopped before its first text. */
  | { state: 'stopped' }
  /** The idempotency key was used for another question. */
  | { state: 'conflict' };

/**
 * What became of a claim: `stopping` is held, but somebody wants the answer to stop; `lost` is another's; `gone` was deleted
 * with its session.
 */
export type ClaimStatus = 'held' | 'stopping' | 'lost' | 'gone';

/** Manages claims, and with them the states of answers. Every method rejects when the store fails. */
export class Claims {
  readonly #store: RowStore;

  constructor(store: RowStore) {
    this.#store = store;
  }

  /** Tries to claim a question. Rejects with an AbortError when `signal` aborts a pause between attempts. */
  async claim(request: ClaimRequest, signal?: AbortSignal): Promise<ClaimResult> {
    const { session, idempotencyKey } = request;
    const partition = sessionPartition(session);
    const key = answerRowKey(idempotencyKey);
    const row = await claimingRow(request);
    return repeatedly(async () => {
      const result = await this.#tryClaim(partition, key, row);
      if (typeof result === 'string') return { state: 'claimed', claim: { session, row, etag: result } };
      return result;
    }, signal);
  }

  /** Gives the etag of our claim, or the state of another request's claim; null when the row changed meanwhile. */
  async #tryClaim(partition: string, key: string, own: AnswerRow): Promise<string | ClaimResult | null> {
    const inserted = await orConflict(this.#store.insert(partition, key, own));
    if (inserted !== null) return inserted;
    const found = await this.#store.get(partition, key);
    // The row was removed between the two calls.
    if (!found) return null;
    const result = claimOn(found.properties as AnswerRow, own);
    if (result === 'ours') return found.etag;
    if (result !== 'free') return result;
    return orConflict(this.#store.replace(partition, key, own, found.etag));
  }

  /** Holds a claim until `leaseUntil` (milliseconds since 1970), and tells whether the answer is to be stopped. */
  async renew(claim: Claim, leaseUntil: number): Promise<ClaimStatus> {
    const { session, row, etag } = claim;
    row.leaseUntil = String(leaseUntil);
    const renewed = await orConflict(
      this.#store.replace(sessionPartition(session), answerRowKey(row.key), row, etag),
    );
    if (renewed === null) return this.refresh(claim);
    claim.etag = renewed;
    return 'held';
  }

  /** Reads the row of a claim again after it has changed. */
  async refresh(claim: Claim): Promise<ClaimStatus> {
    const { session, row } = claim;
    const found = await this.#store.get(sessionPartition(session), answerRowKey(row.key));
    const current = found?.properties as AnswerRow | undefined;
    if (!found) return 'gone';
    if (current?.owner !== row.owner) return 'lost';
    claim.etag = found.etag;
    row.stop = current.stop;
    return row.stop ? 'stopping' : 'held';
  }

  /**
   * Gives the action that marks the question as answered by the interaction with this key. It belongs into the
   * transaction that stores the interaction.
   */
  fulfil({ row, etag }: Claim, state: 'answered' | 'stopped', interaction: string): RowAction {
    const properties = endedRow(row, { state, interaction });
    return { type: 'replace', key: answerRowKey(row.key), properties, etag };
  }

  /** Ends a claim without an interaction. Does nothing when the claim has expired and belongs to another request. */
  async end(claim: Claim, end: ClaimEnd): Promise<void> {
    const { session, row } = claim;
    const ended = endedRow(row, end);
    await repeatedly(async () => {
      const written = await orConflict(
        this.#store.replace(sessionPartition(session), answerRowKey(row.key), ended, claim.etag),
      );
      if (written !== null) return true;
      const status = await this.refresh(claim);
      return status === 'lost' || status === 'gone' ? true : null;
    });
  }

  /**
   * Asks the holder of a claim to stop its answer. A stop that comes before its question is remembered until `leaseUntil`
   * (milliseconds since 1970). An answer that has ended stays as it is.
   */
  async stop(session: SessionKey, idempotencyKey: string, leaseUntil: number): Promise<void> {
    const partition = sessionPartition(session);
    const key = answerRowKey(idempotencyKey);
    await repeatedly(async () => {
      const found = await this.#store.get(partition, key);
      if (!found || isForgotten(found.properties as AnswerRow)) {
        const row = stoppedRow(idempotencyKey, leaseUntil);
        if (found) return orConflict(this.#store.replace(partition, key, row, found.etag));
        return orConflict(this.#store.insert(partition, key, row));
      }
      const row = found.properties as AnswerRow;
      if (row.state !== 'answering' || row.stop || isExpired(row)) return true;
      return orConflict(this.#store.replace(partition, key, { ...row, stop: true }, found.etag));
    });
  }

  /** Reads the state of an answer; null when there is none. */
  async read(session: SessionKey, idempotencyKey: string): Promise<StoredAnswer | null> {
    const found = await this.#store.get(sessionPartition(session), answerRowKey(idempotencyKey));
    return found ? toStoredAnswer(found.properties as AnswerRow) : null;
  }

  /** The answers of a session that are in progress, in the order of asking. */
  async answering(session: SessionKey): Promise<StoredAnswer[]> {
    const rows = await this.#store.list(sessionPartition(session), {
      from: ANSWER_PREFIX,
      to: AFTER_ANSWERS,
      where: { property: 'state', value: 'answering' },
    });
    const all = await Promise.all(rows.map(({ properties }) => toStoredAnswer(properties as AnswerRow)));
    return all
      .filter((answer) => answer !== null)
      .filter(({ state }) => state === 'answering')
      .toSorted((a, b) => a.startedAt - b.startedAt);
  }
}

/** What another request's row means for `own`. */
function claimOn(row: AnswerRow, own: AnswerRow): ClaimResult | 'ours' | 'free' {
  // The store retries calls without a response, so an earlier attempt may have written our row.
  if (row.owner === own.owner) return 'ours';
  if (isForgotten(row)) return 'free';
  if (row.question !== '' && row.question !== own.question) return { state: 'conflict' };
  if (row.interaction !== '') return { state: 'answered', interaction: row.interaction };
  if (row.state === 'failed' || isExpired(row)) return 'free';
  return row.state === 'stopped' ? { state: 'stopped' } : { state: 'pending' };
}

/** Gives null instead of a conflict. */
async function orConflict<T>(write: Promise<T>): Promise<T | null> {
  try {
    return await write;
  } catch (error) {
    if (error instanceof RowConflictError) return null;
    throw error;
  }
}

/** Repeats `attempt` until its result is not null. */
async function repeatedly<T>(attempt: () => Promise<T | null>, signal?: AbortSignal): Promise<T> {
  for (let count = 0; count < MAX_ATTEMPTS; count++) {
    const result = await attempt();
    if (result !== null) return result;
    await delay(PAUSE_MS * 2 ** count * (0.5 + Math.random()), undefined, { signal });
  }
  throw new Error(
    `An answer's row could not be changed in ${MAX_ATTEMPTS} attempts: others kept changing it.`,
  );
}
