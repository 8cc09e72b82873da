import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { defineConfig } from 'vitest/config';
import { isFull } from './test/support/effort.ts';
import { LongestFirst } from './test/support/longest-first.ts';
import { absentPrograms, PROGRAM_TAGS, type Tag } from './test/support/programs.ts';
import { RunSummary } from './test/support/run-summary.ts';

/** `skip: false` of one tag would overrule `skip: true` of another. */
const skipped = (name: Tag, skip: boolean) => ({ name, ...(skip && { skip }) });

// For the workers and all that they start: the same code is started hundreds of times.
process.env['NODE_COMPILE_CACHE'] ??= join(tmpdir(), 'azure-functions-ask-compile-cache');

export default defineConfig(async () => {
  const absent = await absentPrograms();
  const missing = absent.filter(({ optional }) => !optional);
  if (isFull && missing.length > 0) {
    const list = missing.map(({ name, install }) => `- ${name} (${install})`);
    throw new Error(['With CI set, all tests run. These programs are missing:', ...list].join('\n'));
  }
  return {
    test: {
      include: ['test/**/*.test.ts'],
      globalSetup: 'test/support/global-setup.ts',
      setupFiles: ['test/support/azurite.ts', 'test/support/contract.ts'],
      // Each file starts real processes, for which the tests wait: more than there are usually cores. With eight on two cores,
      // tests of time limits failed.
      maxWorkers: 5,
      sequence: { sequencer: LongestFirst },
      // Loading the same modules for each file took a third of the CPU.
      isolate: false,
      testTimeout: 60_000,
      hookTimeout: 60_000,
      // Two full runs of about 2,100 tests lost one and two races. Until six in a row lose none, one lost race must not hide all
      // other results. The summary names the repeated tests, with their errors: each is a defect.
      retry: isFull ? 1 : 0,
      reporters: ['default', new RunSummary(absent)],
      tags: [
        ...PROGRAM_TAGS.map((name) =>
          skipped(
            name,
            absent.some(({ tag }) => tag === name),
          ),
        ),
        // Windows has no signals.
        skipped('posix', process.platform === 'win32'),
        // Heavy load, or waiting for real seconds.
        skipped('long', !isFull),
      ],
    },
  };
});
