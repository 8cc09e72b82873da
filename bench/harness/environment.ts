/** The environment of a benchmark: Azurite and the emulated model, each in its own process, and the apps that are measured. */
import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { TableClient } from '@azure/data-tables';
import { buildApp, bundle } from '../../dev/bundle/bundle.ts';
import type { Cost } from '../../dev/figures/cost.ts';
import { writePackage } from '../../dev/package.ts';
import { type Azurite, startAzuriteTables } from '../../dev/stack/azurite.ts';
import { startNode } from '../../dev/stack/child-process.ts';
import { type HostOptions, type HostProcess, startHostProcess } from '../../dev/stack/host-process.ts';
import { root } from '../../dev/stack/root.ts';
import { emulatorSettings } from '../../dev/stack/settings.ts';
import { type ModelBehaviour, type Services, startServices } from './services.ts';
import { toWorker, type WorkerProcess } from './worker-process.ts';

/**
 * What is measured. `app` is the published app, `built` the same in the project, with its source maps, `before` an earlier
 * version of it. The others are the baselines in bench/apps.
 */
export type Subject = 'app' | 'built' | 'before' | 'constant' | 'client-per-request';

/** What a part has measured. The first row of a table is its head. */
export interface PartResult {
  costs?: Cost[];
  tables?: Record<string, string[][]>;
}

/** A part of `npm run bench`. What it has started may be left to the environment. */
export type Part = (environment: Environment, rounds: number) => Promise<Cost[] | PartResult | void>;

const onOutput = (text: string): unknown => process.env['BENCH_VERBOSE'] && process.stderr.write(text);

/** Starts an environment, calls `use` with it, and stops it. `before` is the published folder of the earlier version. */
export async function withEnvironment(
  use: (environment: Environment) => Promise<void>,
  before = '',
): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'ask-bench-'));
  const [azurite, services] = await Promise.all([startAzuriteTables(folder), startServices()]);
  const environment = new Environment({ folder, azurite, services, before });
  try {
    await use(environment);
  } finally {
    await environment.stopAll();
    await Promise.all([azurite.stop(), services.stop()]);
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The running environment. */
export class Environment {
  readonly folder: string;
  readonly azurite: Azurite;
  readonly services: Services;
  readonly #before: string;
  readonly #built = new Map<string, Promise<string>>();
  #running: (() => Promise<unknown>)[] = [];
  #started = 0;

  constructor(parts: Pick<Environment, 'folder' | 'azurite' | 'services'> & { before: string }) {
    this.folder = parts.folder;
    this.azurite = parts.azurite;
    this.services = parts.services;
    this.#before = parts.before;
  }

  /** Whether parts compare the app with an earlier version of it, in place of their baselines. */
  get comparesVersions(): boolean {
    return this.#before !== '';
  }

  /** Changes how the model answers further requests. */
  async behave(behaviour: ModelBehaviour): Promise<void> {
    await this.services.send({ type: 'behave', ...behaviour });
  }

  /** Deletes all sessions, because Azurite needs more CPU the more rows it has. The app creates the table again. */
  async emptyStorage(): Promise<void> {
    const { connectionString } = this.azurite;
    const options = { allowInsecureConnection: true };
    await TableClient.fromConnectionString(connectionString, 'sessions', options).deleteTable();
  }

  /** Has `stop` called at the end of the part. */
  own<T>(part: T, stop: (part: T) => Promise<unknown>): T {
    this.#running.push(() => stop(part));
    return part;
  }

  /** Stops what the part has started, the last one first. */
  async stopAll(): Promise<void> {
    const running = this.#running.toReversed();
    this.#running = [];
    for (const stop of running) await stop().catch(() => {});
    await this.emptyStorage().catch(() => {});
  }

  /** Starts the worker of a subject, with its own cache file and without a host. */
  async start(subject: Subject, env?: Record<string, string>, route = 'ask'): Promise<WorkerProcess> {
    const program = join(await this.#build('worker', (folder) => bundleWorker(folder)), 'worker.js');
    const args = [program, '--root', await this.rootOf(subject), '--route', route];
    const child = startNode(args, { env: this.#settings(env), ipc: true, output: onOutput });
    return this.own(await toWorker(child, route), (worker) => worker.stop());
  }

  /** The same in the local functions host, in one process with it. */
  async startHost(
    subject: Subject,
    env?: Record<string, string>,
    options: Pick<HostOptions, 'inspect' | 'onOutput'> = {},
  ): Promise<HostProcess> {
    const folder = await this.rootOf(subject);
    const host = await startHostProcess({
      root: folder,
      port: 0,
      env: this.#settings(env),
      onOutput,
      ...options,
    });
    return this.own(host, () => host.stop());
  }

  #settings(env: Record<string, string> = {}) {
    return {
      PATH: process.env['PATH'],
      // The constant function logs nothing either.
      LOG_LEVEL: 'warn',
      ...emulatorSettings(this.services),
      AzureWebJobsStorage: this.azurite.connectionString,
      ANSWER_CACHE_PATH: join(this.folder, `answers-${this.#started++}.sqlite`),
      ...env,
    };
  }

  /** Builds a subject when it is first needed. Returns its folder. */
  async rootOf(subject: Subject): Promise<string> {
    if (subject === 'before') return resolve(this.#before);
    if (subject === 'built') return this.#build('dist', buildApp).then(() => root);
    return this.#build(subject, async (folder) => {
      if (subject === 'app') {
        await this.rootOf('built');
        await writePackage(folder);
      } else {
        await bundle(`bench/apps/${subject}.ts`, join(folder, 'dist'));
        writeFileSync(join(folder, 'package.json'), `{"type": "module", "main": "dist/${subject}.js"}`);
        cpSync(join(root, 'host.json'), join(folder, 'host.json'));
      }
    });
  }

  #build(name: string, build: (folder: string) => Promise<unknown>): Promise<string> {
    const folder = join(this.folder, name);
    const built = this.#built.get(name) ?? build(folder).then(() => folder);
    this.#built.set(name, built);
    return built;
  }
}

/** A cold start must not include the compilation of the worker. */
async function bundleWorker(folder: string): Promise<void> {
  await bundle('bench/harness/worker.ts', folder);
  writeFileSync(join(folder, 'package.json'), '{"type": "module"}');
}
