/** What the command lines of `npm run soak` and `npm run crash` share. */

/** The exit code after Ctrl-C. */
export const INTERRUPTED = 130;
/** One Ctrl-C arrives twice: from the terminal, and from npm, which forwards it to its scripts. */
const SAME_CTRL_C_MS = 500;

/** Reads a number within a range. @throws Error that names the option. */
export function readNumber(name: string, text: string, [min, max]: [number, number]): number {
  const value = /^\d*\.?\d+$/.test(text) ? Number(text) : Number.NaN;
  if (value >= min && value <= max) return value;
  throw new Error(`--${name} must be a number from ${min} to ${max}, not "${text}".`);
}

/** The first Ctrl-C calls `stop`; the next one ends this process immediately. Returns the end of listening. */
export function onCtrlC(stop: () => void): () => void {
  let first = 0;
  const listener = (): void => {
    if (first === 0) {
      first = performance.now();
      stop();
    } else if (performance.now() - first > SAME_CTRL_C_MS) {
      process.exit(INTERRUPTED);
    }
  };
  process.on('SIGINT', listener);
  return () => process.off('SIGINT', listener);
}
