/** Runs a benchmark as a command, in a process of its own. */
import { type Child, runNode, startNode, systemEnvironment } from '../../dev/stack/child-process.ts';
import { root } from '../../dev/stack/root.ts';

const options = { cwd: root, env: systemEnvironment() };

/** Starts `npm run NAME -- ARGS`. */
export const startBench = (name: string, ...args: string[]): Child =>
  startNode(['dev/run.js', `../bench/${name}`, ...args], options);

/** Runs `npm run NAME -- ARGS` to its end. */
export const runBench = (name: string, ...args: string[]): Promise<{ code: number | null; output: string }> =>
  runNode(['dev/run.js', `../bench/${name}`, ...args], options);
