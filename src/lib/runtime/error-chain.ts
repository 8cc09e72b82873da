/** What libraries throw wraps what they met: an error, its cause, and so on. */

/** An error as far as it is read here; libraries add properties that no type knows. */
export type Caught = Error & { code?: unknown; param?: unknown; status?: unknown; headers?: unknown };

/** Gives an error and its causes, the outermost first. Anything that is no error gives nothing. */
export function chainOf(error: unknown): Caught[] {
  const chain: Caught[] = [];
  // A chain that leads back into itself would have no end.
  for (let cause = error; cause instanceof Error && chain.length < 10; cause = cause.cause) chain.push(cause);
  return chain;
}
