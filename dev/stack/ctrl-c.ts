/** Ctrl-C in programs that end early with a report. */

/** The exit code after Ctrl-C. */
export const INTERRUPTED = 130;
/** One Ctrl-C arrives twice: from the terminal, and from npm, which forwards it to its scripts. */
const SAME_CTRL_C_MS = 500;

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
