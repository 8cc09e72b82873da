/** What this browser keeps about conversations. Each call reads it anew: other tabs change it too. */
import { stored } from '../parts/storage.ts';
import { byUse, type Entry, isEntry } from './entry.ts';

/** The oldest ones are dropped beyond this. */
const MAX_ENTRIES = 300;
const PREFIX = 'sessions';

const isList = (value: unknown): value is unknown[] => Array.isArray(value);

/** Conversations that were used in this browser without a sign-in. */
const entries = stored(PREFIX, isList);
/** Names that the user gave: pairs of id and name, the newest first. */
const names = stored(`${PREFIX}.names`, isList);
/** The ids of conversations whose deletion was requested when the page was left. */
const deleting = stored(`${PREFIX}.deleting`, isList);

/** The conversations of this browser, the most recently used first. */
export const keptEntries = (): Entry[] => (entries.get() ?? []).filter(isEntry).toSorted(byUse);

/** Adds an entry, or replaces the one with its id. */
export function keepEntry(entry: Entry): void {
  const others = keptEntries().filter(({ id }) => id !== entry.id);
  entries.set([entry, ...others].toSorted(byUse).slice(0, MAX_ENTRIES));
}

const isName = (value: unknown): value is [id: string, name: string] =>
  isList(value) && typeof value[0] === 'string' && typeof value[1] === 'string';

/** The names that the user gave, by id. */
export const keptNames = (): Map<string, string> => new Map((names.get() ?? []).filter(isName));

/** Keeps the name of a conversation. An empty one removes it. */
export function keepName(id: string, name: string): void {
  const others = [...keptNames()].filter(([each]) => each !== id);
  names.set((name === '' ? others : [[id, name], ...others]).slice(0, MAX_ENTRIES));
}

/** The ids of {@link keepDeleting}. */
export const keptDeleting = (): string[] =>
  (deleting.get() ?? []).filter((id): id is string => typeof id === 'string');

/** Keeps the ids whose deletion was requested and not confirmed. */
export function keepDeleting(ids: readonly string[]): void {
  if (ids.length === 0) deleting.remove();
  else deleting.set([...ids]);
}

/** Forgets all about a conversation. */
export function forgetKept(id: string): void {
  const all = keptEntries();
  const others = all.filter((entry) => entry.id !== id);
  if (others.length < all.length) entries.set(others);
  if (keptNames().has(id)) keepName(id, '');
}

/** Calls `listener` when another tab has changed what is kept. */
export function onKeptChange(listener: () => void): void {
  addEventListener('storage', ({ key }) => {
    if (key === null || key.startsWith(`ask.${PREFIX}`)) listener();
  });
}
