/** The published app with Azurite, the emulated model and Redis, each in a process of its own. */
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { buildAppIfChanged } from '../../dev/bundle/bundle.ts';
import { writePackage } from '../../dev/package.ts';
import { type Azurite, startAzuriteTables } from '../../dev/stack/azurite.ts';
import { freePort, systemEnvironment } from '../../dev/stack/child-process.ts';
import { type HostProcess, startHostProcess } from '../../dev/stack/host-process.ts';
import { findRedis, type Redis, startRedis } from '../../dev/stack/redis.ts';
import { emulatorSettings } from '../../dev/stack/settings.ts';
import { SYSTEM_PROMPT } from './answers.ts';
import { type Services, startServices } from '../harness/services.ts';

/** Time limit of a question. Short, so that a question that hangs ends well within the 30 s after a fault. */
export const REQUEST_TIMEOUT_MS = 6000;
/** The size limit of the cache file. Small, so that the file is full, and evicts, within minutes. */
export const CACHE_FILE_MB = 1;
/** Lines of the app's log that are kept. */
const LOG_LINES = 400;
const PRELOAD = pathToFileURL(join(import.meta.dirname, 'preload.js')).href;

/** The running processes. */
export class Stack {
  readonly folder = mkdtempSync(join(tmpdir(), 'ask-soak-'));
  readonly cacheFile = join(this.folder, 'answers.sqlite');
  services!: Services;
  app!: HostProcess;
  azurite!: Azurite;
  /** Null where redis-server is not installed. */
  redis: Redis | null = null;
  readonly #log: string[] = [];
  #azuritePort = 0;
  #appPort = 0;

  /** Builds the app, writes the published folder, and starts everything. */
  async start(): Promise<this> {
    await buildAppIfChanged();
    await writePackage(join(this.folder, 'app'));
    [this.#azuritePort, this.#appPort] = [await freePort(), await freePort()];
    this.azurite = await startAzuriteTables(join(this.folder, 'storage'), this.#azuritePort);
    this.services = await startServices(this.#azuritePort);
    if (findRedis() !== undefined) this.redis = await startRedis();
    await this.startApp();
    return this;
  }

  /** The last errors in the app's log, then its last lines. */
  get lastLog(): string {
    const errors = this.#log.filter((line) => line.includes('] error '));
    return [...errors.slice(-10), '...', ...this.#log.slice(-10)].join('\n');
  }

  /** Starts the app on its port. */
  async startApp(): Promise<void> {
    this.app = await startHostProcess({
      root: join(this.folder, 'app'),
      port: this.#appPort,
      env: {
        ...systemEnvironment(),
        ...emulatorSettings(this.services),
        NODE_OPTIONS: `--import=${PRELOAD}`,
        AzureWebJobsStorage: this.azurite.connectionString.replace(
          `:${this.#azuritePort}/`,
          `:${this.services.storagePort}/`,
        ),
        ANSWER_CACHE_PATH: this.cacheFile,
        ANSWER_CACHE_MAX_MB: String(CACHE_FILE_MB),
        REQUEST_TIMEOUT_SECONDS: String(REQUEST_TIMEOUT_MS / 1000),
        SYSTEM_PROMPT,
        LOG_LEVEL: 'warn',
        ...(this.redis && { ANSWER_CACHE_REDIS_URL: this.redis.url }),
      },
      onOutput: (text) => {
        this.#log.push(...text.split('\n').filter(Boolean));
        this.#log.splice(0, Math.max(0, this.#log.length - LOG_LINES));
      },
    });
  }

  /** Kills the app as a crash does. */
  async killApp(): Promise<void> {
    const child = this.app.process;
    if (child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, 'exit');
    child.kill('SIGKILL');
    await exited;
  }

  /** Sends a message to the preloaded module of the app. Gives false when the app is gone. */
  tellApp = (message: object): boolean =>
    this.app.process.connected && this.app.process.send(message, () => {});

  /**
   * The storage dies and is started again with its data. Azurite writes its data to the disk only every 5 s, unlike
   * Azure: so the gate cuts all connections at once, as the death of the process would, and Azurite then ends with its
   * data written.
   */
  async stopStorage(): Promise<void> {
    await this.services.send({ type: 'gate', mode: 'closed' });
    await this.azurite.stop();
  }

  /** Starts the storage again, with its data. */
  async startStorage(): Promise<void> {
    this.azurite = await startAzuriteTables(join(this.folder, 'storage'), this.#azuritePort);
    await this.services.send({ type: 'gate', mode: 'open' });
  }

  async killRedis(): Promise<void> {
    await this.redis?.kill();
  }

  async startRedis(): Promise<void> {
    if (this.redis) this.redis = await startRedis(this.redis.port);
  }

  /** Stops all processes and removes their files. */
  async stop(): Promise<void> {
    await this.app.stop();
    await Promise.all([this.services.stop(), this.azurite.stop(), this.redis?.kill()]);
    rmSync(this.folder, { recursive: true, force: true });
  }
}
