/** How `npm run soak` and `npm run crash` read their options. */

/** Reads a number within a range. @throws Error that names the option. */
export function readNumber(name: string, text: string, [min, max]: [number, number]): number {
  const value = /^\d*\.?\d+$/.test(text) ? Number(text) : Number.NaN;
  if (value >= min && value <= max) return value;
  throw new Error(`--${name} must be a number from ${min} to ${max}, not "${text}".`);
}
