/** Chat history: one row for each interaction. Within a session's partition, the newest row comes first. */
import {
  after,
  AFTER_INTERACTIONS,
  FIRST_POSITION,
  type Interaction,
  interactionKey,
  isInteractionOrMarkerKey,
  isMarkerKey,
  markerKey,
  nextEpoch,
  parseKey,
  type Position,
  replacingKey,
  type SessionKey,
  sessionPartition,
  toInteraction,
  toProperties,
} from './session-rows.ts';
import { insertUnique, type ListedRow, removeRows, type RowAction, type RowStore } from './row-store.ts';

/** The newest interactions of the current conversation, oldest first, and the position to append after. */
export interface Conversation extends Position {
  interactions: Interaction[];
}

/** An interaction of a page. */
export interface PlacedInteraction extends Interaction {
  /** The key of its row. */
  position: string;
}

/** A page of the current conversation, its interactions oldest first. Times in milliseconds since 1970. */
export interface ConversationPage {
  interactions: PlacedInteraction[];
  /** Number of interactions in the whole conversation. */
  count: number;
  createdAt: number;
  updatedAt: number;
  /** When the conversation began; 0 for the first one of a session. */
  epoch: number;
  /** Position of the page before this one, which has older interactions; null when there is none. */
  before: string | null;
}

/** How an interaction is stored. */
export interface AppendOptions {
  /** When its question came, in milliseconds since 1970. */
  askedAt?: number;
  /** The UUID of the interaction, by which the conversation can go on after it. */
  id?: string | undefined;
  /** Key of the interaction whose place this one takes. */
  replaces?: string | undefined;
  /** Gives a further action for the same transaction. */
  alongside?: ((key: string) => RowAction) | undefined;
}

/** It is unknown whether a write was done: both the write and the read that should verify it failed. */
export class UnknownOutcomeError extends Error {
  override readonly name = 'UnknownOutcomeError';
}

/**
 * Stores the interactions of sessions. Every method rejects when the store fails, so that no interaction is reported as
 * stored or deleted when it was not.
 */
export class ChatHistory {
  readonly #store: RowStore;
  readonly #ttlMs: number;

  /** Interactions older than `ttlMs` milliseconds are never shown. */
  constructor(store: RowStore, ttlMs: number) {
    this.#store = store;
    this.#ttlMs = ttlMs;
  }

  /** Reads the newest interactions of the current conversation, at most `limit`. An unknown session has none. */
  async read(session: SessionKey, limit: number): Promise<Conversation> {
    // One more than the limit, because one row may be the marker of the conversation.
    const range = { to: AFTER_INTERACTIONS, limit: limit + 1 };
    const rows = await this.#store.list(sessionPartition(session), range);
    const { epoch, lastMs } = rows[0] ? parseKey(rows[0].key) : FIRST_POSITION;
    const interactions = await this.#interactions(rows, epoch);
    return { epoch, lastMs, interactions: interactions.slice(-limit) };
  }

  /**
   * Stores one interaction after `position`, at the time of its question, or in the place of another one, and gives the key
   * of its row. `alongside` gets that key, and gives a further action for the same transaction. Concurrent appends from the
   * same position are all kept, in an order that is the same for every later read.
   * @throws RowConflictError when the interaction to replace is gone, or the further action met a conflict; then nothing was
   * stored.
   * @throws UnknownOutcomeError when it is unknown whether the transaction was done.
   */
  async append(
    session: SessionKey,
    position: Position,
    interaction: Interaction,
    { askedAt = Date.now(), id, replaces, alongside }: AppendOptions = {},
  ): Promise<string> {
    const partition = sessionPartition(session);
    const key = replaces === undefined ? interactionKey(position, askedAt, id) : replacingKey(replaces);
    const properties = await toProperties(interaction);
    if (!alongside && replaces === undefined) return insertUnique(this.#store, partition, key, properties);
    const actions: RowAction[] = [{ type: 'insert', key, properties }];
    if (replaces !== undefined) actions.push({ type: 'remove', key: replaces });
    if (alongside) actions.push(alongside(key));
    try {
      await this.#store.transact(partition, actions);
    } catch (error) {
      // The response may be lost or late, and the store retries calls without a response. If our row exists, the
      // whole transaction was done.
      const stored = await this.#store.get(partition, key).catch((cause: unknown) => {
        throw new UnknownOutcomeError(String(error), { cause });
      });
      if (!stored) throw error;
    }
    return key;
  }

  /**
   * Begins a new conversation, whose first question came at `askedAt`, and gives its position. Earlier interactions are
   * never read again.
   */
  async reset(session: SessionKey, askedAt = Date.now()): Promise<Position> {
    const partition = sessionPartition(session);
    const [newest] = await this.#store.list(partition, { to: AFTER_INTERACTIONS, limit: 1 });
    const epoch = nextEpoch(newest ? parseKey(newest.key).epoch : 0, askedAt);
    await insertUnique(this.#store, partition, markerKey(epoch), {});
    return { epoch, lastMs: 0 };
  }

  /**
   * Deletes a session. First it writes the marker of a new conversation: this hides interactions that are still being
   * written, and rows that cannot be removed now, until the purge removes them. Gives the position of the new
   * conversation, and whether all rows were removed.
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

  /** Removes rows of a session by their keys: those of an answer that was stored after its conversation was deleted. */
  remove(session: SessionKey, keys: string[]): Promise<void> {
    return removeRows(this.#store, sessionPartition(session), keys);
  }

  /**
   * Reads a page of at most `limit` interactions: the newest, or those before the position `before` that another page
   * gave. Null when the session does not exist, or the position is not in its current conversation.
   */
  async readPage(session: SessionKey, limit: number, before = ''): Promise<ConversationPage | null> {
    const { epoch, keys } = await this.readKeys(session);
    const [newest, oldest] = [keys[0], keys.at(-1)];
    if (newest === undefined || oldest === undefined) return null;
    if (before !== '' && parseKey(before).epoch !== epoch) return null;

    const older = keys.filter((key) => key > before);
    const page = older.slice(0, limit);
    const [first, last] = [page[0], page.at(-1)];
    const rows =
      first !== undefined && last !== undefined
        ? await this.#store.list(sessionPartition(session), { from: first, to: after(last) })
        : [];
    return {
      interactions: await this.#placed(rows, epoch),
      count: keys.length,
      epoch,
      createdAt: parseKey(oldest).lastMs,
      updatedAt: parseKey(newest).lastMs,
      before: older.length > page.length ? (last ?? null) : null,
    };
  }

  /**
   * Reads the interaction with this key and those before it, at most `limit` in all. Null when the interaction is gone
   * or belongs to an earlier conversation.
   */
  async readUpTo(session: SessionKey, key: string, limit: number): Promise<Interaction[] | null> {
    const partition = sessionPartition(session);
    const [newest] = await this.#store.list(partition, { to: AFTER_INTERACTIONS, limit: 1, keysOnly: true });
    const { epoch } = parseKey(key);
    if (!newest || parseKey(newest.key).epoch !== epoch) return null;
    const rows = await this.#store.list(partition, { from: key, to: AFTER_INTERACTIONS, limit });
    return rows[0]?.key === key ? this.#interactions(rows, epoch) : null;
  }

  /**
   * Reads the interactions before the one with this key, at most `limit`, and the position before it. Null when that
   * interaction is gone or belongs to an earlier conversation.
   */
  async readBefore(session: SessionKey, key: string, limit: number): Promise<Conversation | null> {
    const all = await this.readUpTo(session, key, limit + 1);
    return all && { ...parseKey(key), interactions: all.slice(0, -1) };
  }

  /** Reads the keys of the current conversation's interactions, the newest first, and its epoch. */
  async readKeys(session: SessionKey): Promise<{ epoch: number; keys: string[] }> {
    const range = { to: AFTER_INTERACTIONS, keysOnly: true };
    const rows = await this.#store.list(sessionPartition(session), range);
    const epoch = rows[0] ? parseKey(rows[0].key).epoch : 0;
    return { epoch, keys: rows.map(({ key }) => key).filter((key) => this.#isVisible(key, epoch)) };
  }

  /** Checks that the store can be read. */
  async check(): Promise<void> {
    await this.#store.list('check', { limit: 1 });
  }

  /** The visible interactions of `epoch` among `rows`, oldest first. */
  async #interactions(rows: ListedRow[], epoch: number | undefined): Promise<Interaction[]> {
    const visible = rows.filter(({ key }) => this.#isVisible(key, epoch)).toReversed();
    const interactions = await Promise.all(visible.map(({ properties }) => toInteraction(properties)));
    return interactions.filter((interaction) => interaction !== null);
  }

  /** The same with their positions. */
  async #placed(rows: ListedRow[], epoch: number | undefined): Promise<PlacedInteraction[]> {
    const placed = rows.map(async (row) =>
      (await this.#interactions([row], epoch)).map((interaction) => ({ ...interaction, position: row.key })),
    );
    return (await Promise.all(placed)).flat().toReversed();
  }

  #isVisible(key: string, epoch: number | undefined): boolean {
    const position = parseKey(key);
    return position.epoch === epoch && !isMarkerKey(key) && position.lastMs >= Date.now() - this.#ttlMs;
  }
}
