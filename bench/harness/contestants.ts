/** The function apps that are compared, and their environment: Azurite and the emulator, each in its own process. */
import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { TableClient } from '@azure/data-tables';
import { startAzuriteTables } from '../../dev/stack/azurite.ts';
import { root } from '../../dev/stack/root.ts';
import { buildApp, bundle } from '../../dev/bundle/bundle.ts';
import { type HostProcess, startHostProcess } from '../../dev/stack/host-process.ts';
import { writePackage } from '../../dev/package.ts';
import { emulatorSettings } from '../../dev/stack/settings.ts';
import { type EmulatorProcess, startEmulatorProcess } from './emulator-process.ts';

/** `app` is the published app, `plain-bundle` the same app with complete libraries. The others are in bench/apps. */
export type Contestant = 'app' | 'plain-bundle' | (typeof OTHERS)[number];

const OTHERS = ['constant', 'client-per-request', 'no-keep-alive'] as const;

/** The environment of the contestants. */
export interface Arena {
  emulator: EmulatorProcess;
  /** Process id of Azurite. */
  azurite: number;
  /** Deletes all sessions, because Azurite needs more CPU the more rows it has. */
  emptyStorage(): Promise<void>;
  /** Starts a contestant with its own cache file. The caller has to stop it. */
  start(contestant: Contestant, env?: Record<string, string>): Promise<HostProcess>;
}

/** Builds the contestants, or those that are named, and runs `use`. */
export async function withArena(
  use: (arena: Arena) => Promise<void>,
  contestants: readonly Contestant[] = ['app', 'plain-bundle', ...OTHERS],
): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'ask-bench-'));
  const rootOf = (contestant: Contestant): string => join(folder, contestant);
  await buildApp();
  writePackage(rootOf('app'));
  if (contestants.includes('plain-bundle')) {
    cpSync(rootOf('app'), rootOf('plain-bundle'), { recursive: true });
    rmSync(join(rootOf('plain-bundle'), 'dist'), { recursive: true });
    await bundle('src/main.ts', join(rootOf('plain-bundle'), 'dist'));
  }
  for (const name of OTHERS.filter((each) => contestants.includes(each))) {
    await bundle(`bench/apps/${name}.ts`, join(rootOf(name), 'dist'));
    writeFileSync(join(rootOf(name), 'package.json'), `{"type": "module", "main": "dist/${name}.js"}`);
    cpSync(join(root, 'host.json'), join(rootOf(name), 'host.json'));
  }
  const [azurite, emulator] = await Promise.all([startAzuriteTables(folder), startEmulatorProcess()]);
  let started = 0;
  try {
    const table = TableClient.fromConnectionString(azurite.connectionString, 'sessions', {
      allowInsecureConnection: true,
    });
    await use({
      emulator,
      azurite: azurite.process.pid ?? 0,
      // The app recreates the table.
      emptyStorage: () => table.deleteTable(),
      start: (contestant, env = {}) =>
        startHostProcess({
          root: rootOf(contestant),
          port: 0,
          env: {
            PATH: process.env['PATH'],
            // The constant function logs nothing either.
            LOG_LEVEL: 'warn',
            ...emulatorSettings(emulator),
            AzureWebJobsStorage: azurite.connectionString,
            ANSWER_CACHE_PATH: join(folder, `answers-${started++}.sqlite`),
            ...env,
          },
          onOutput: (text) => process.env['BENCH_VERBOSE'] && process.stderr.write(text),
        }),
    });
  } finally {
    await Promise.all([azurite.stop(), emulator.stop()]);
    rmSync(folder, { recursive: true, force: true });
  }
}
