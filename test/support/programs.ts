/**
 * The programs outside npm that some tests need. Each is a tag of those tests: vitest.config.ts skips the tests of absent
 * programs, or fails with `CI` set.
 */
import { chromium, type Browser, type LaunchOptions } from 'playwright-core';
import { findBicep } from '../../dev/infra/bicep.ts';
import { findProgram } from '../../dev/stack/child-process.ts';
import { findRedis } from '../../dev/stack/redis.ts';
import { isFull } from './effort.ts';

export const PROGRAM_TAGS = ['redis', 'browser', 'curl', 'ps', 'bicep'] as const;

/** The tags of tests: what they need, or that they run only in full runs. */
export type Tag = (typeof PROGRAM_TAGS)[number] | 'posix' | 'long';

declare module 'vitest' {
  interface TestTags {
    names: Tag;
  }
}

/** A program that tests need. */
export interface Program {
  tag: (typeof PROGRAM_TAGS)[number];
  name: string;
  /** How to get it. */
  install: string;
  /** Whether a full run goes on without it. */
  optional?: boolean;
}

const NEEDED: readonly (Program & { find: () => unknown })[] = [
  {
    tag: 'redis',
    name: 'redis-server',
    install: 'Debian: apt-get install redis-server. macOS: brew install redis. Windows: test in WSL.',
    find: findRedis,
  },
  {
    tag: 'browser',
    name: 'Chromium, Chrome or Edge',
    install: 'Debian: apt-get install chromium-headless-shell. Or set CHROMIUM_PATH to the program.',
    find: async () => {
      const browser = await launchBrowser();
      await browser?.close();
      return browser;
    },
  },
  { tag: 'curl', name: 'curl', install: 'Debian: apt-get install curl.', find: () => findProgram('curl') },
  { tag: 'ps', name: 'ps', install: 'Debian: apt-get install procps.', find: () => findProgram('ps') },
  {
    tag: 'bicep',
    name: 'the Bicep compiler',
    install: 'Install dotnet, which restores it from NuGet, or run "az bicep install".',
    // npm run check:infra fails where dotnet should get it and does not.
    optional: true,
    find: () => {
      // A short run skips its tests anyway, and should not wait for NuGet.
      if (!isFull) return true;
      try {
        return findBicep();
      } catch {
        return undefined;
      }
    },
  },
];

/** Returns the programs that are absent here. */
export async function absentPrograms(): Promise<Program[]> {
  const found = await Promise.all(NEEDED.map(({ find }) => find()));
  return NEEDED.filter((_, index) => !found[index]);
}

// Without the last five, Chromium looks for its maker's servers.
const ARGUMENTS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/** Starts the browser at CHROMIUM_PATH or the first that is installed. Returns null when none is. */
export async function launchBrowser(): Promise<Browser | null> {
  for (const options of browsers()) {
    try {
      return await chromium.launch({ ...options, args: ARGUMENTS });
    } catch {
      // Not installed.
    }
  }
  return null;
}

/** Where browsers are looked for. A channel is an ordinary installation on Linux, macOS or Windows. */
function browsers(): LaunchOptions[] {
  const chosen = process.env['CHROMIUM_PATH'];
  if (chosen) return [{ executablePath: chosen }];
  // The headless shell draws no browser window, and takes half the CPU.
  const installed = findProgram('chromium-headless-shell', 'chromium', 'chromium-browser', 'google-chrome');
  return [
    ...(installed === undefined ? [] : [{ executablePath: installed }]),
    ...['chrome', 'msedge', 'chromium'].map((channel) => ({ channel })),
  ];
}
