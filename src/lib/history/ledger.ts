/**
 * A ledger: the row with what is spent of a budget in one period, changed by all processes. Rejected: a row for each
 * process, whose sum two processes can exceed between their reads and their writes; and a row for each change, which makes
 * every reading a sum.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { digest } from './session-rows.ts';
import { type Properties, type Row, RowConflictError, type RowStore } from './row-store.ts';

/** Attempts at a change while other processes conflict with it. From the third on, a growing pause is before each. */
const MAX_ATTEMPTS = 10;
const PAUSE_MS = 5;
const MAX_PAUSE_MS = 320;
/** A row names so many of its last writes, so that a writer without a response can tell whether its write counts. */
const NAMED_WRITES = 24;
/** The key of a ledger's row is this and the end of the row's period, in milliseconds since 1970. */
const PREFIX = 'ledger-';
/** A ledger is kept for so long after its period: some process may still have its row in hand. */
const KEPT_MS = 24 * 3_600_000;

/** True for the key of a ledger that is no longer needed. */
export const isExpiredLedger = (key: string, now: number): boolean =>
  key.startsWith(PREFIX) && Number(key.slice(PREFIX.length)) < now - KEPT_MS;

/** What the row says. */
interface State {
  spent: number;
  /** Start of the period in which it was spent, in milliseconds since 1970. */
  since: number;
  /** Number of writes so far. */
  version: number;
  /** Ids of the last writes, the newest last. */
  writes: string[];
  /** Undefined while there is no row. */
  etag: string | undefined;
}

const NO_ROW: State = { spent: 0, since: 0, version: 0, writes: [], etag: undefined };

/** A write that was sent: `base` is the state that it changes. */
interface Write {
  id: string;
  amount: number;
  base: State;
}

/** What became of a write: it counts, it never will, or nobody can tell any more. */
type Outcome = 'counts' | 'void' | 'unknown';

/** Gives the amount to add to what is spent; null to read the row first. `isFresh`: it has just been read. */
export type Decide = (spent: number, isFresh: boolean) => number | null;

/** What a ledger is of. */
export interface LedgerName {
  /** The budget, its user and the period of its row. They become a digest: user text is never a key. */
  parts: readonly (string | number | null)[];
  /** Start of the budget's period, in milliseconds since 1970. */
  startsAt: number;
  /** End of the row's period, which may be longer than the budget's: then the row has the newest of its periods. */
  rowEndsAt: number;
}

/** A ledger as one process sees it. It takes one change at a time. */
export class Ledger {
  readonly #store: RowStore;
  readonly #partition: string;
  readonly #key: string;
  readonly #startsAt: number;
  readonly #nextId: () => string;
  #state: State | undefined;
  /** A write whose response did not come. */
  #unclear: Write | undefined;

  /** `nextId` gives an id for each write, unique among all processes. */
  constructor(store: RowStore, { parts, startsAt, rowEndsAt }: LedgerName, nextId: () => string) {
    this.#store = store;
    this.#startsAt = startsAt;
    this.#partition = digest('budget', ...parts);
    this.#key = `${PREFIX}${String(rowEndsAt).padStart(13, '0')}`;
    this.#nextId = nextId;
  }

  /** What is spent, as far as this process knows. */
  get spent(): number {
    return this.#state?.spent ?? 0;
  }

  /** The last change rejected, and it is not known whether it counts: {@link clear} finds out. */
  get isUnclear(): boolean {
    return this.#unclear !== undefined;
  }

  /**
   * Adds what `decide` says. Gives the amount that was added, 0 for none. @throws StorageError when the store fails, Error
   * when others keep changing the row; nothing was added then, unless {@link isUnclear}.
   */
  async add(decide: Decide): Promise<number> {
    let isFresh = false;
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
      if (attempt > 1) await delay(Math.min(MAX_PAUSE_MS, PAUSE_MS * 2 ** attempt) * Math.random());
      if (!this.#state) {
        this.#state = await this.#read();
        isFresh = true;
      }
      let amount = decide(this.#state.spent, isFresh);
      if (amount === null) {
        this.#state = await this.#read();
        isFresh = true;
        amount = decide(this.#state.spent, true);
      }
      if (!amount) return 0;
      // What is given back after the end of a period must not be spent in the next one.
      if (amount < 0 && this.#state.since > this.#startsAt) return amount;
      const write: Write = { id: this.#nextId(), amount, base: this.#state };
      const outcome = await this.#send(write);
      // What nobody can tell counts as spent: what was given back is not given back again, what was drawn is drawn again.
      if (outcome === 'counts' || (outcome === 'unknown' && amount < 0)) return amount;
      isFresh = true;
    }
    throw new Error(`A budget could not be changed in ${MAX_ATTEMPTS} attempts: others kept changing it.`);
  }

  /**
   * Finds out what became of an unclear change, and sends it again if it may still arrive. Gives its amount and whether it
   * counts; null when there is none, or nobody can tell any more. @throws StorageError when the store fails.
   */
  async clear(): Promise<{ amount: number; counts: boolean } | null> {
    const write = this.#unclear;
    if (!write) return null;
    this.#state = await this.#read();
    const outcome =
      this.#state.version === write.base.version ? await this.#send(write) : this.#outcomeOf(write);
    this.#unclear = undefined;
    return outcome === 'unknown' ? null : { amount: write.amount, counts: outcome === 'counts' };
  }

  async #send(write: Write): Promise<Outcome> {
    const { id, amount, base } = write;
    const next = {
      spent: Math.max(0, base.spent + amount),
      since: Math.max(base.since, this.#startsAt),
      version: base.version + 1,
      writes: [...base.writes, id].slice(-NAMED_WRITES),
    };
    try {
      this.#state = { ...next, etag: await this.#put(toProperties(next), base.etag) };
      return 'counts';
    } catch (error) {
      this.#state = undefined;
      if (!(error instanceof RowConflictError)) {
        this.#unclear = write;
        throw error;
      }
    }
    this.#unclear = write;
    this.#state = await this.#read();
    this.#unclear = undefined;
    // The store's client repeats a write whose connection broke, and then conflicts with itself.
    return this.#outcomeOf(write);
  }

  /** The row has changed since the base of `write`, so `write` can no longer arrive. */
  #outcomeOf({ id, base }: Write): Outcome {
    const { version, writes } = this.#state ?? NO_ROW;
    if (writes.includes(id)) return 'counts';
    return version > base.version && version - base.version <= NAMED_WRITES ? 'void' : 'unknown';
  }

  #put(properties: Properties, etag: string | undefined): Promise<string> {
    return etag === undefined
      ? this.#store.insert(this.#partition, this.#key, properties)
      : this.#store.replace(this.#partition, this.#key, properties, etag);
  }

  async #read(): Promise<State> {
    const row = await this.#store.get(this.#partition, this.#key);
    const state = row ? toState(row) : NO_ROW;
    // The first in a new period begins anew. A process whose clock is behind spends in the newer period.
    return state.since < this.#startsAt ? { ...state, spent: 0, since: this.#startsAt } : state;
  }
}

const toProperties = ({ spent, since, version, writes }: Omit<State, 'etag'>): Properties => ({
  spent: String(spent),
  since: String(since),
  version: String(version),
  writes: writes.join(' '),
});

const toState = ({ properties: { spent, since, version, writes }, etag }: Row): State => ({
  spent: Number(spent),
  since: Number(since),
  version: Number(version),
  writes: String(writes).split(' '),
  etag,
});
