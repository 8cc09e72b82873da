/** Values that this browser keeps. A browser that forbids storage, or has no room left, never breaks the page. */

/** A value under its own name. */
export interface Stored<Value> {
  /** The value; undefined when there is none, or when it is not valid. */
  get(): Value | undefined;
  /** Stores a value. False when the browser did not store it; it is then kept until the page is closed. */
  set(value: Value): boolean;
  remove(): void;
}

/** `local` lasts, `session` ends with the tab. */
type Area = 'local' | 'session';

/**
 * Declares a stored value. `isValid` checks what was read: it may be from an older version, or edited by the user.
 */
export function stored<Value>(
  name: string,
  isValid: (value: unknown) => value is Value,
  area: Area = 'local',
): Stored<Value> {
  const key = `ask.${name}`;
  let unstored: Value | undefined;
  return {
    get() {
      return unstored ?? attempt(() => valid(JSON.parse(open(area).getItem(key) ?? 'null'), isValid));
    },
    set(value) {
      const isStored = attempt(() => {
        open(area).setItem(key, JSON.stringify(value));
        return true;
      });
      unstored = isStored ? undefined : value;
      return isStored ?? false;
    },
    remove() {
      unstored = undefined;
      attempt(() => open(area).removeItem(key));
    },
  };
}

/** Removes all stored values, but those whose names begin with a text of `except`. */
export function forgetStored(except: readonly string[]): void {
  const isKept = (key: string): boolean =>
    !key.startsWith('ask.') || except.some((name) => key.startsWith(`ask.${name}`));
  for (const area of ['local', 'session'] as const)
    attempt(() => {
      for (const key of Object.keys(open(area))) if (!isKept(key)) open(area).removeItem(key);
    });
}

/** Whether a value is a text, for {@link stored}. */
export const isText = (value: unknown): value is string => typeof value === 'string';

/** Whether a value is true or false, for {@link stored}. */
export const isFlag = (value: unknown): value is boolean => typeof value === 'boolean';

/** Even reading the property throws in a browser that forbids storage. */
const open = (area: Area): Storage => (area === 'local' ? localStorage : sessionStorage);

const valid = <Value>(value: unknown, isValid: (value: unknown) => value is Value): Value | undefined =>
  isValid(value) ? value : undefined;

function attempt<Result>(action: () => Result): Result | undefined {
  try {
    return action();
  } catch {
    return undefined;
  }
}
