/**
 * What tests run against, started and stopped by the hooks of the block that asks for it:
 *
 *     const storage = useStorage();
 *     const app = useApp(() => ({ env: { SESSIONS_STORAGE: storage.connectionString } }));
 *
 * Each function returns a handle at once, with the fields of what then runs: use it in tests and hooks.
 */
import { readFileSync } from 'node:fs';
import { Agent } from 'undici';
import { afterAll, afterEach, beforeAll, beforeEach } from 'vitest';
import {
  type Emulator,
  type EmulatorOptions,
  startEmulator,
} from '../../dev/azure-openai-emulator/emulator.ts';
import { type AppOptions, ask, newQuestion, startApp, type TestApp } from './app.ts';
import { type StorageProxy, startStorageProxy } from './storage-proxy.ts';

/**
 * An app, which is reset before each test ({@link TestApp.reset}). Blocks and files that give the same options share one
 * process: take {@link useFreshApp} for a test of what a process counts, remembers, or does at its start or end. An app
 * whose options are a function, because they need other handles, belongs to its block alone.
 */
export function useApp(options: AppOptions | (() => AppOptions) = {}): TestApp {
  if (typeof options === 'function')
    return useRunning(() => startApp(options()), { reset: (app) => app.reset(), stop: (app) => app.stop() });
  const app = useSharedApp();
  // Hooks of the block may need it before its first test.
  beforeAll(() => app.start(options));
  beforeEach(() => app.start(options));
  return app;
}

/** An app that each test takes by `start`, with its own options. It is shared as by {@link useApp}, unless it is `fresh`. */
export const useSharedApp = (): Starter<TestApp, [options?: AppOptions & { fresh?: boolean }]> =>
  useStarter(
    async ({ fresh = false, ...options } = {}) => (fresh ? startApp(options) : sharedApp(options)),
    async (app) => void ([...shared.values()].includes(app) || (await app.stop())),
  );

/** An app that each test starts by `start`, as a new process. It is stopped when the test ends. */
export const useFreshApp = (): Starter<TestApp, [options?: AppOptions]> =>
  useStarter(startApp, (app) => app.stop());

/** The emulated model alone. It is reset before each test. */
export const useModel = (options: EmulatorOptions = {}): Emulator =>
  useRunning(() => startEmulator(options), {
    reset: (model) => model.reset(),
    stop: (model) => model.close(),
  });

/** A dispatcher of undici that trusts the certificate of a model, and speaks HTTP/2 with it. */
export const useDispatcher = (model: Emulator): Agent =>
  useRunning(() => new Agent({ allowH2: true, connect: { ca: readFileSync(model.certificatePath) } }), {
    stop: (agent) => agent.destroy(),
  });

/** A proxy in front of the tables that all tests of this worker share. It is reset before each test. */
export const useStorage = (): StorageProxy =>
  useRunning(startStorageProxy, { reset: (proxy) => proxy.reset(), stop: (proxy) => proxy.close() });

/** An app whose storage is behind a proxy. `env` are further settings. */
export function useAppBehindProxy(env: AppOptions['env'] = {}): { app: TestApp; proxy: StorageProxy } {
  const proxy = useStorage();
  const app = useApp(() => ({ env: { ...env, SESSIONS_STORAGE: proxy.connectionString } }));
  // The first question may have to create the table.
  beforeAll(async () => void (await ask(app, { question: newQuestion() })));
  return { app, proxy };
}

type Use<T> = (running: T) => unknown;

/** Starts anything before the tests of the block. `reset` is called before each of them, `stop` after the last. */
export function useRunning<T extends object>(
  start: () => Promise<T> | T,
  { reset, stop, timeoutMs }: { reset?: Use<T>; stop?: Use<T>; timeoutMs?: number },
): T {
  const slot = new Slot<T>();
  beforeAll(async () => void (slot.running = await start()), timeoutMs);
  beforeEach(async () => void (await reset?.(slot.current())));
  afterAll(async () => {
    if (slot.running) await stop?.(slot.running);
    slot.running = undefined;
  });
  return slot.handle;
}

/** A handle with a function that starts what it stands for. */
export type Starter<T, Args extends unknown[]> = T & { start(...args: Args): Promise<void> };

/** Gives a test `start`, which starts anything with options of the test. It is stopped when the test ends. */
export function useStarter<T extends object, Args extends unknown[]>(
  start: (...args: Args) => Promise<T>,
  stop: Use<T>,
): Starter<T, Args> {
  const slot = new Slot<T>();
  afterEach(async () => {
    if (slot.running) await stop(slot.running);
    slot.running = undefined;
  });
  slot.extra = {
    start: async (...args: Args) => {
      if (slot.running) await stop(slot.running);
      slot.running = await start(...args);
    },
  };
  return slot.handle as Starter<T, Args>;
}

/** Holds what is running, and a handle that forwards to it. */
class Slot<T extends object> {
  running: T | undefined;
  extra: object = {};

  readonly handle = new Proxy({} as T, {
    get: (_, name) => {
      const owner = name in this.extra ? this.extra : this.current();
      const value: unknown = Reflect.get(owner, name);
      return typeof value === 'function' ? (value.bind(owner) as unknown) : value;
    },
    set: (_, name, value) => Reflect.set(this.current(), name, value),
  });

  current(): T {
    if (!this.running) throw new Error('This is not running: it is started before the tests, or by `start`.');
    return this.running;
  }
}

/** An app takes 100 MB. */
const MAX_SHARED = 3;

/**
 * The apps of this worker by their options, the last used at the end. Vitest keeps modules for all files of a worker
 * (`isolate: false`).
 */
const shared = new Map<string, TestApp>();

/** Gives a running app with these options, as if no test had used it before, but for what a process remembers. */
async function sharedApp(options: AppOptions = {}): Promise<TestApp> {
  if (shared.size === 0) process.once('SIGTERM', () => void stopShared());
  // These can be changed while it runs.
  const { latencyMs = 0, tokenDelayMs = 0, ...emulator } = options.emulator ?? {};
  const settled = { ...options, emulator };
  const key = JSON.stringify(settled);
  const known = shared.get(key);
  const isUsable = known && (await isAsNew(known));
  if (known && !isUsable) await known.stop();
  const app = isUsable ? known : await startApp(settled);
  shared.delete(key);
  shared.set(key, app);
  await stopOldest();
  app.reset();
  Object.assign(app.emulator, { latencyMs, tokenDelayMs });
  return app;
}

async function stopOldest(): Promise<void> {
  const [oldest] = shared;
  if (!oldest || shared.size <= MAX_SHARED) return;
  shared.delete(oldest[0]);
  await oldest[1].stop();
}

/** Makes an app forget earlier tests. Returns false if one has ended it, or left it with an open circuit breaker. */
async function isAsNew(app: TestApp): Promise<boolean> {
  if (!app.host.process.connected) return false;
  const statuses = app.emulator.requests.map(({ status }) => status);
  app.reset();
  if (statuses.length === 0) return true;
  try {
    // An answer also ends a rate limit.
    if (statuses.some((status) => status !== 200)) await ask(app, { question: newQuestion() });
    await fetch(`${app.url}/cache`, { method: 'DELETE', headers: { 'x-functions-key': app.host.masterKey } });
    return true;
  } catch {
    return false;
  }
}

/** Vitest ends a worker by SIGTERM. */
async function stopShared(): Promise<void> {
  await Promise.allSettled([...shared.values()].map((app) => app.stop()));
  process.exit();
}
