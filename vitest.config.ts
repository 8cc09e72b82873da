import { defineConfig } from 'vitest/config';
import { isFull } from './test/support/effort.ts';
import { absentPrograms, PROGRAM_TAGS } from './test/support/programs.ts';
import { SkipSummary } from './test/support/skip-summary.ts';

export default defineConfig(async () => {
  const absent = await absentPrograms();
  if (isFull && absent.length > 0) {
    const list = absent.map(({ name, install }) => `- ${name} (${install})`);
    throw new Error(['With CI set, all tests run. These programs are missing:', ...list].join('\n'));
  }
  return {
    test: {
      include: ['test/**/*.test.ts'],
      globalSetup: 'test/support/global-setup.ts',
      setupFiles: 'test/support/contract.ts',
      // Each file starts real processes, so that two cores can run two files at a time.
      maxWorkers: 2,
      testTimeout: 60_000,
      hookTimeout: 60_000,
      reporters: ['default', new SkipSummary(absent)],
      tags: [
        ...PROGRAM_TAGS.map((name) => ({ name, skip: absent.some(({ tag }) => tag === name) })),
        // Windows has no signals.
        { name: 'posix' as const, skip: process.platform === 'win32' },
        // Heavy load, or waiting for many real seconds.
        { name: 'long' as const, skip: !isFull },
      ],
    },
  };
});
