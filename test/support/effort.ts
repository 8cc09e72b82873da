/**
 * How thorough a test run is. `npm test` is short. With `CI` set, the tests with the tag `long` run too, property tests try
 * more examples, load tests send more questions, and tests with many cases run all of them. `CI`, because every CI service
 * sets it. Rejected: a second command for the short run, and a variable of our own beside `CI`.
 */
export const isFull = Boolean(process.env['CI']);

/** Returns `full` in a full run, `short` otherwise. */
export const scaled = (full: number, short: number): number => (isFull ? full : short);

/** Returns all cases in a full run, the first ones otherwise. */
export const sampled = <const T>(cases: readonly T[], short = 1): readonly T[] =>
  isFull ? cases : cases.slice(0, short);
