/** `npm run smoke`: checks that a running app keeps its main promises. */
import { parseArgs } from 'node:util';
import { CHECKS, createRun, type SmokeRun } from './smoke/checks.ts';
import type { Target } from './smoke/client.ts';
import { refuseOptionsOfNpm } from './stack/npm-options.ts';
import { localPort } from './stack/settings.ts';

/** The help text. */
export const help = `npm run smoke -- [options]

Checks a running app: health, an answer, a follow-up, a stream, a cached answer, connection reuse, reading and deleting a
session, and that the measurements are true. It makes about ten model calls, and deletes the sessions that it makes.

  --url URL          address of the app (default http://localhost:3001)
  --key KEY          the function key (x-functions-key)
  --caller-key KEY   the key of a caller, for an app with CALLER_KEYS
  --help

Exit code: 0 all checks passed, 1 a check failed, 2 invalid options.`;

const NAME_WIDTH = 2 + Math.max(...CHECKS.map(({ name }) => name.length));

/** Runs the checks, also after a failure, and sets the exit code. */
export async function main(args: string[]): Promise<void> {
  const target = readTarget(args);
  if (!target) return;
  console.log(`Smoke test of ${target.url}\n`);
  const run = createRun();
  let failed = 0;
  for (const check of CHECKS) {
    const startedAt = performance.now();
    const [state, text] = await check.run(target, run).then(
      (detail) => ['ok    ', detail],
      (error: unknown) => ['FAILED', messageOf(error)],
    );
    if (state === 'FAILED') failed++;
    const ms = `${Math.round(performance.now() - startedAt)} ms`.padStart(9);
    console.log(`${state} ${check.name.padEnd(NAME_WIDTH)}${ms}  ${text}`);
  }
  console.log(
    `\n${summary(run)}${failed === 0 ? 'All checks passed.' : `${failed} of ${CHECKS.length} checks failed.`}`,
  );
  process.exitCode = failed === 0 ? 0 : 1;
}

function readTarget(args: string[]): Target | null {
  try {
    const options = {
      url: { type: 'string' },
      key: { type: 'string' },
      'caller-key': { type: 'string' },
    } as const;
    refuseOptionsOfNpm(Object.keys(options));
    const { values } = parseArgs({ args, options });
    const url = URL.parse(values.url ?? `http://localhost:${localPort()}`);
    if (!url || !/^https?:$/.test(url.protocol))
      throw new Error(`--url must be an address, not "${values.url}".`);
    return { url: url.origin, key: values.key || null, callerKey: values['caller-key'] };
  } catch (error) {
    console.error(`${messageOf(error)}\n"npm run smoke -- --help" explains the options.`);
    process.exitCode = 2;
    return null;
  }
}

/** The times of the answers that the model gave, as the client saw them. */
function summary({ asked }: SmokeRun): string {
  const times = (isCold: boolean): number[] =>
    asked
      .filter(({ answer }) => answer.performance_metrics.cold_start === isCold)
      .map(({ ms }) => Math.round(ms))
      .toSorted((a, b) => a - b);
  const [cold, warm] = [times(true), times(false)];
  const parts = [
    ...(cold.length > 0 ? [`cold start ${cold[0]} ms`] : ['no cold start seen']),
    ...(warm.length > 0 ? [`warm ${warm[Math.floor(warm.length / 2)]} ms (median of ${warm.length})`] : []),
  ];
  return asked.length === 0 ? '' : `Answers: ${parts.join(', ')}. `;
}

/** Failures of `fetch` have their reason in the cause. */
function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? `${error.message}: ${error.cause.message}` : error.message;
}
