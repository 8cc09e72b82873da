/** `npm run check`: format, lint, types, unused code, workflows, infrastructure and build. */
import { spawnSync } from 'node:child_process';
import { root } from './stack/root.ts';

/** Scripts of package.json, which can also be run alone. */
const STEPS = [
  'check:format',
  'check:lint',
  'check:types',
  'check:unused',
  'check:workflows',
  'check:infra',
  'build',
];

/** The help text. */
export const help = `npm run check

Runs these scripts, and prints the output of those that fail: ${STEPS.join(', ')}.
"npm run format" repairs the format.`;

/** Runs all steps, also after a failure. The exit code is 1 if one failed. */
export function main(): void {
  for (const step of STEPS) {
    const startedAt = performance.now();
    const { status, stdout, stderr } = spawnSync(process.execPath, ['--run', step], {
      cwd: root,
      encoding: 'utf8',
    });
    const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
    console.log(`${status === 0 ? 'ok    ' : 'FAILED'} ${step} (${seconds} s)`);
    if (status === 0) continue;
    process.exitCode = 1;
    console.log(`${stdout}${stderr}`);
  }
}
