/** What the hooks that follow the template share: the variables of azd, and waiting for Azure. */
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';

/** Returns variables that azd sets from the outputs of the template, or undefined, after saying so, when one is missing. */
export function azdVariables<Name extends string>(...names: Name[]): Record<Name, string> | undefined {
  const missing = names.filter((name) => !process.env[name]);
  if (missing.length > 0) {
    console.error(`Not set: ${missing.join(', ')}. azd sets them: run this with "azd hooks run".`);
    process.exitCode = 1;
    return undefined;
  }
  return Object.fromEntries(names.map((name) => [name, process.env[name]])) as Record<Name, string>;
}

/** How long a hook waits at most, and the pause between its checks, in milliseconds. */
export interface WaitLimits {
  limitMs: number;
  intervalMs: number;
}

/** The options of hooks that wait, for their help texts. */
export const WAIT_OPTIONS = `  --wait SECONDS      how long to wait at most (default 600)
  --interval SECONDS  pause between two checks (default 10)`;

/** Reads the options. @throws Error when one is not a number of seconds. */
export function readWaitLimits(args: string[]): WaitLimits {
  const options = {
    wait: { type: 'string', default: '600' },
    interval: { type: 'string', default: '10' },
  } as const;
  const { wait, interval } = parseArgs({ args, options }).values;
  const milliseconds = [wait, interval].map((text) => 1000 * Number(text));
  if (!milliseconds.every((value) => value >= 0))
    throw new Error('--wait and --interval take numbers of seconds.');
  const [limitMs = 0, intervalMs = 0] = milliseconds;
  return { limitMs, intervalMs };
}

/**
 * Calls `check` until it returns null, and prints what it returned: the reason to wait on. Returns the last reason when the
 * time is over; null otherwise.
 */
export async function waitWhile<Reason extends { text: string; isFinal?: boolean }>(
  { limitMs, intervalMs }: WaitLimits,
  check: () => Promise<Reason | null>,
): Promise<Reason | null> {
  const startedAt = performance.now();
  for (;;) {
    const reason = await check();
    const waitedMs = performance.now() - startedAt;
    if (reason === null || reason.isFinal || waitedMs + intervalMs > limitMs) return reason;
    console.log(`  ${String(Math.round(waitedMs / 1000)).padStart(3)} s  ${reason.text}`);
    await sleep(intervalMs);
  }
}
