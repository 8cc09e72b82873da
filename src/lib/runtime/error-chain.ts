/** Errors of libraries, which often wrap the original error as their cause. */

/** An error of a library. Libraries add these properties without declaring them. */
export type LibraryError = Error & { code?: unknown; param?: unknown; status?: unknown; headers?: unknown };

/** Returns an error and its causes, outermost first, at most 10. Returns an empty array for other values. */
export function chainOf(error: unknown): LibraryError[] {
  const chain: LibraryError[] = [];
  // Limited, because an error can be its own cause.
  for (let cause = error; cause instanceof Error && chain.length < 10; cause = cause.cause) chain.push(cause);
  return chain;
}
