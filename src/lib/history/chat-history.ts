/** Chat history: the interactions of many sessions, one row each, newest first within their session. */
import { type Interaction, toInteraction, toProperties } from './interaction.ts';
import {
  after,
  AFTER_INTERACTIONS,
  FIRST_POSITION,
  interactionKey,
  isInteractionOrMarkerKey,
  isMarkerKey,
  markerKey,
  nextEpoch,
  parseKey,
  type Position,
  type SessionKey,
  sessionPartition,
} from './row-keys.ts';
import { MAX_ROWS_PER_CALL, type RowAction, RowConflictError, type Row, type RowStore } from './row-store.ts';

/** The newest interactions of the current conversation, oldest first, and where it stands. */
export interface Conversation extends Position {
  interactions: Interaction[];
}

/** Some interactions of the current conversation, oldest first. Times in milliseconds since 1970. */
export interface ConversationPage {
  interactions: Interaction[];
  /** Of the whole conversation. */
  count: number;
  createdAt: number;
  updatedAt: number;
  /** What to ask for to get the page before this one; null when there is none. */
  before: string | null;
}

/** Nobody knows whether a write was done: neither its own answer came nor that of a look at its row. */
export class UnknownOutcomeError extends Error {
  override readonly name = 'UnknownOutcomeError';
}

/**
 * Keeps the interactions of sessions. Every method may reject when the store cannot be reached; nothing is ever
 * pretended to be stored or forgotten.
 */
export class ChatHistory {
  readonly #store: RowStore;
  readonly #ttlMs: number;

  /** Interactions older than `ttlMs` milliseconds are never shown. */
  constructor(store: RowStore, ttlMs: number) {
    this.#store = store;
    this.#ttlMs = ttlMs;
  }

  /** Reads at most `limit` interactions, the newest of the current conversation. An unknown session is empty. */
  async read(session: SessionKey, limit: number): Promise<Conversation> {
    // One more than the limit, because the marker of the conversation may be among them.
    const range = { to: AFTER_INTERACTIONS, limit: limit + 1 };
    const rows = await this.#store.list(sessionPartition(session), range);
    const { epoch, lastMs } = rows[0] ? parseKey(rows[0].key) : FIRST_POSITION;
    const interactions = await this.#interactions(rows, epoch);
    return { epoch, lastMs, interactions: interactions.slice(-limit) };
  }

  /**
   * Stores one interaction after `position`, in its conversation, together with what `alongside` makes of its key.
   * Appends at the same time from the same position are all kept, in one order that every later read agrees on.
   * @throws RowConflictError when what is to be done alongside met another state; then nothing was stored.
   * @throws UnknownOutcomeError when both may have been stored, which could not be seen.
   */
  async append(
    session: SessionKey,
    position: Position,
    interaction: Interaction,
    alongside?: (key: string) => RowAction,
  ): Promise<void> {
    const partition = sessionPartition(session);
    const key = interactionKey(position);
    const properties = await toProperties(interaction);
    if (!alongside) return this.#insertOurs(partition, key, properties);
    try {
      await this.#store.transact(partition, [{ type: 'insert', key, properties }, alongside(key)]);
    } catch (error) {
      // Its answer may be lost or late, and the store repeats what it got no answer to; our row there means that it
      // was all done.
      const stored = await this.#store.get(partition, key).catch((cause: unknown) => {
        throw new UnknownOutcomeError(String(error), { cause });
      });
      if (!stored) throw error;
    }
  }

  /** Begins a new conversation; gives where it stands. Earlier interactions are never read again. */
  async reset(session: SessionKey): Promise<Position> {
    const partition = sessionPartition(session);
    const arrival = Date.now();
    const [newest] = await this.#store.list(partition, { to: AFTER_INTERACTIONS, limit: 1 });
    const epoch = nextEpoch(newest ? parseKey(newest.key).epoch : 0, arrival);
    await this.#insertOurs(partition, markerKey(epoch), {});
    return { epoch, lastMs: 0 };
  }

  /**
   * Forgets a session. A marker goes first: whatever is still being written then lands in the past, and rows that
   * cannot be removed now are hidden until they are purged. Gives where the session stands, and whether all is gone.
   */
  async delete(session: SessionKey): Promise<{ position: Position; removed: boolean }> {
    const partition = sessionPartition(session);
    const position = await this.reset(session);
    try {
      const rows = await this.#store.list(partition, { keysOnly: true });
      const old = rows.filter(
        ({ key }) => !isInteractionOrMarkerKey(key) || parseKey(key).epoch < position.epoch,
      );
      await removeRows(
        this.#store,
        partition,
        old.map(({ key }) => key),
      );
      return { position, removed: true };
    } catch {
      return { position, removed: false };
    }
  }

  /**
   * Reads a page of at most `limit` interactions: the newest, or those before the position that a page named. Null when
   * there is no such session, or the position is none of its current conversation.
   */
  async readPage(session: SessionKey, limit: number, before = ''): Promise<ConversationPage | null> {
    const partition = sessionPartition(session);
    const keys = await this.#store.list(partition, { to: AFTER_INTERACTIONS, keysOnly: true });
    const epoch = keys[0] && parseKey(keys[0].key).epoch;
    const own = keys.map(({ key }) => key).filter((key) => this.#isShown(key, epoch));
    const [newest, oldest] = [own[0], own.at(-1)];
    if (newest === undefined || oldest === undefined) return null;
    if (before !== '' && parseKey(before).epoch !== epoch) return null;

    const older = own.filter((key) => key > before);
    const wanted = older.slice(0, limit);
    const [first, last] = [wanted[0], wanted.at(-1)];
    const rows =
      first !== undefined && last !== undefined
        ? await this.#store.list(partition, { from: first, to: after(last) })
        : [];
    return {
      interactions: await this.#interactions(rows, epoch),
      count: own.length,
      createdAt: parseKey(oldest).lastMs,
      updatedAt: parseKey(newest).lastMs,
      before: older.length > wanted.length ? (last ?? null) : null,
    };
  }

  /** Reads the interaction with this key and those before it, `limit` in all; null when it is not to be read any more. */
  async readUpTo(session: SessionKey, key: string, limit: number): Promise<Interaction[] | null> {
    const partition = sessionPartition(session);
    const [newest] = await this.#store.list(partition, { to: AFTER_INTERACTIONS, limit: 1, keysOnly: true });
    const { epoch } = parseKey(key);
    if (!newest || parseKey(newest.key).epoch !== epoch) return null;
    const rows = await this.#store.list(partition, { from: key, to: AFTER_INTERACTIONS, limit });
    return rows[0]?.key === key ? this.#interactions(rows, epoch) : null;
  }

  /** Resolves when the store answers. */
  async check(): Promise<void> {
    await this.#store.list('check', { limit: 1 });
  }

  /** Those of `epoch` that are shown, oldest first. */
  async #interactions(rows: Row[], epoch: number | undefined): Promise<Interaction[]> {
    const shown = rows.filter(({ key }) => this.#isShown(key, epoch)).toReversed();
    const interactions = await Promise.all(shown.map(({ properties }) => toInteraction(properties)));
    return interactions.filter((interaction) => interaction !== null);
  }

  #isShown(key: string, epoch: number | undefined): boolean {
    const own = parseKey(key);
    return own.epoch === epoch && !isMarkerKey(key) && own.lastMs >= Date.now() - this.#ttlMs;
  }

  async #insertOurs(...row: Parameters<RowStore['insert']>): Promise<void> {
    try {
      await this.#store.insert(...row);
    } catch (error) {
      // The store repeats what it got no answer to; the key is ours alone, so it is our row that is there.
      if (!(error instanceof RowConflictError)) throw error;
    }
  }
}

/** Removes rows of a partition, as many at a time as one call may, in the given order. */
export async function removeRows(store: RowStore, partition: string, keys: string[]): Promise<void> {
  for (let start = 0; start < keys.length; start += MAX_ROWS_PER_CALL) {
    await store.remove(partition, keys.slice(start, start + MAX_ROWS_PER_CALL));
  }
}
