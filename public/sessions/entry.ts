/** An entry of the list of conversations. */

/** A conversation, as the list knows it. */
export interface Entry {
  id: string;
  /** The name that the user gave it, otherwise the beginning of its first question. */
  title: string;
  /** Time of the last use, in milliseconds. */
  usedAt: number;
}

const TITLE_CHARS = 80;

/** The title of a conversation with this first question. */
export function titleOf(question: string): string {
  // Counts code points, so that no surrogate pair is split.
  const characters = Array.from(question.trim().replaceAll(/\s+/g, ' '));
  const isLong = characters.length > TITLE_CHARS;
  return isLong
    ? `${characters
        .slice(0, TITLE_CHARS - 1)
        .join('')
        .trimEnd()}…`
    : characters.join('');
}

/** Whether a stored value is an entry. */
export function isEntry(value: unknown): value is Entry {
  if (typeof value !== 'object' || value === null) return false;
  const { id, title, usedAt } = value as Partial<Record<keyof Entry, unknown>>;
  return typeof id === 'string' && typeof title === 'string' && typeof usedAt === 'number';
}

/** The newest first. */
export const byUse = (a: Entry, b: Entry): number => b.usedAt - a.usedAt;
