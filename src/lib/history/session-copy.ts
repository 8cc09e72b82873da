/** Copies the interactions of a conversation to another session. */
import type { ChatHistory } from './chat-history.ts';
import type { SessionIndex } from './session-index.ts';
import type { ListedRow, Properties, RowAction, RowStore } from './row-store.ts';
import {
  after,
  copiedKey,
  interactionProperties,
  type SessionKey,
  sessionPartition,
  toInteraction,
} from './session-rows.ts';

/** Rows that are read at once. Table Storage takes 100 actions in a transaction. */
const BATCH_ROWS = 100;
/** A transaction may have 4 MiB, and has to be done before the timeout of a call. A row has at most 1 MiB. */
const BATCH_BYTES = 1_500_000;
/** What a row takes beside its texts. */
const ROW_BYTES = 1000;

/** What {@link copyConversation} needs. */
export interface CopyParts {
  store: RowStore;
  history: ChatHistory;
  index: SessionIndex;
}

/** A copy that is complete. */
export interface Copied {
  /** Undefined when there is no interaction before the position. */
  firstQuestion: string | undefined;
}

/**
 * Copies the current conversation of a session, or what is before the position `before`, to a session that has nothing yet.
 * Null when there is no conversation, or the position is not in it. Rejects when the store fails.
 */
export async function copyConversation(
  { store, history, index }: CopyParts,
  session: SessionKey,
  target: SessionKey,
  before = '',
): Promise<Copied | null> {
  const { keys } = await history.readKeys(session);
  if (keys.length === 0 || (before !== '' && !keys.includes(before))) return null;
  const copied = keys.filter((key) => key > before);
  if (target.userId !== null) await index.reserve(target.userId, target.sessionId, 0);
  let oldest: ListedRow | undefined;
  for (let start = 0; start < copied.length; start += BATCH_ROWS) {
    const batch = copied.slice(start, start + BATCH_ROWS);
    const [first = '', last = ''] = [batch[0], batch.at(-1)];
    const rows = await store.list(sessionPartition(session), { from: first, to: after(last) });
    for (const part of inParts(rows)) await insert(store, sessionPartition(target), part);
    oldest = rows.at(-1);
  }
  const first = oldest && (await toInteraction(oldest.properties));
  return { firstQuestion: first?.question };
}

async function insert(store: RowStore, partition: string, rows: ListedRow[]): Promise<void> {
  const actions = rows.map(({ key, properties }): RowAction => ({
    type: 'insert',
    key: copiedKey(key),
    properties,
  }));
  await store.transact(partition, actions);
}

/** Divides rows into parts that each fit into a transaction. */
function* inParts(rows: ListedRow[]): Generator<ListedRow[], void, void> {
  let part: ListedRow[] = [];
  let bytes = 0;
  for (const { key, properties } of rows) {
    const row = { key, properties: interactionProperties(properties) };
    const size = sizeOf(row.properties);
    if (part.length > 0 && bytes + size > BATCH_BYTES) {
      yield part;
      [part, bytes] = [[], 0];
    }
    part.push(row);
    bytes += size;
  }
  if (part.length > 0) yield part;
}

/** The size of a row in a request, where binary data is Base64. */
const sizeOf = (properties: Properties): number =>
  Object.values(properties).reduce<number>(
    (sum, value) => sum + (typeof value === 'boolean' ? 0 : (4 / 3) * Buffer.byteLength(value)),
    ROW_BYTES,
  );
