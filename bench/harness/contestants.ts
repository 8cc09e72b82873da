/** The function apps that are compared, and their environment: Azurite and the emulator, each in its own process. */
import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { TableClient } from '@azure/data-tables';
import { startAzuriteTables } from '../../dev/stack/azurite.ts';
import { root } from '../../dev/stack/root.ts';
import { buildApp, bundle } from '../../dev/bundle/bundle.ts';
import { type HostProcess, startHostProcess } from '../../dev/stack/host-process.ts';
import { writePackage } from '../../dev/package.ts';
import { emulatorSettings } from '../../dev/stack/settings.ts';
import type { Cost } from './cost.ts';
import { type EmulatorProcess, startEmulatorProcess } from './emulator-process.ts';
import { type Gateway, startGateway } from './gateway.ts';
import { startWorkerProcess, type WorkerProcess } from './worker-process.ts';

/**
 * `app` is the published app, `before` an earlier version of it, `plain-bundle` the same app with complete libraries. The
 * others are in bench/apps.
 */
export type Contestant = 'app' | 'before' | 'plain-bundle' | (typeof OTHERS)[number];

const OTHERS = [
  'constant',
  'constant-stream',
  'raw-request',
  'plain',
  'client-per-request',
  'no-keep-alive',
] as const;

/** The environment of the contestants. */
export interface Arena {
  emulator: EmulatorProcess;
  /** Process id of Azurite. */
  azurite: number;
  /** Deletes all sessions, because Azurite needs more CPU the more rows it has. */
  emptyStorage(): Promise<void>;
  /** Starts the worker of a contestant, with its own cache file and without a host. The caller has to stop it. */
  start(contestant: Contestant, env?: Record<string, string>): Promise<WorkerProcess>;
  /** The same in the local functions host, in one process with it. */
  startHost(contestant: Contestant, env?: Record<string, string>): Promise<HostProcess>;
  /** Starts a public gateway to models; null when it cannot be installed. */
  startGateway(): Promise<Gateway | null>;
}

const onOutput = (text: string): unknown => process.env['BENCH_VERBOSE'] && process.stderr.write(text);

/** A part of the benchmark, with its default number of rounds. */
export interface Part {
  measure: (arena: Arena, rounds: number) => Promise<Cost[]>;
  rounds: number;
}

/** Builds the contestants, or those that are named, and runs `use`. `before` is the published folder of that version. */
export async function withArena(
  use: (arena: Arena) => Promise<void>,
  contestants: readonly Contestant[] = ['app', 'plain-bundle', ...OTHERS],
  before = '',
): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'ask-bench-'));
  const rootOf = (contestant: Contestant): string =>
    contestant === 'before' ? resolve(before) : join(folder, contestant);
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
  const program = join(folder, 'worker', 'worker.js');
  await bundle('bench/harness/worker.ts', dirname(program));
  writeFileSync(join(dirname(program), 'package.json'), '{"type": "module"}');
  const [azurite, emulator] = await Promise.all([startAzuriteTables(folder), startEmulatorProcess()]);
  let started = 0;
  const settings = (env: Record<string, string> = {}) => ({
    PATH: process.env['PATH'],
    // The constant function logs nothing either.
    LOG_LEVEL: 'warn',
    ...emulatorSettings(emulator),
    AzureWebJobsStorage: azurite.connectionString,
    ANSWER_CACHE_PATH: join(folder, `answers-${started++}.sqlite`),
    ...env,
  });
  try {
    const table = TableClient.fromConnectionString(azurite.connectionString, 'sessions', {
      allowInsecureConnection: true,
    });
    await use({
      emulator,
      azurite: azurite.process.pid ?? 0,
      // The app recreates the table.
      emptyStorage: () => table.deleteTable(),
      start: (contestant, env) =>
        startWorkerProcess({ program, root: rootOf(contestant), env: settings(env), onOutput }),
      startHost: (contestant, env) =>
        startHostProcess({ root: rootOf(contestant), port: 0, env: settings(env), onOutput }),
      startGateway: () => startGateway(join(folder, 'gateway'), emulator),
    });
  } finally {
    await Promise.all([azurite.stop(), emulator.stop()]);
    rmSync(folder, { recursive: true, force: true });
  }
}
