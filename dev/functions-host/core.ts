/** The module `@azure/functions-core`, which the worker provides to the `@azure/functions` library. */
import { Module } from 'node:module';

/** Severity of a log entry, as the worker names it. */
export type Level = 'trace' | 'debug' | 'information' | 'warning' | 'error' | 'critical' | 'none';
/** The origin of a log entry. */
export type Category = 'user' | 'system' | 'customMetric';
/** The handler of a function. */
export type Callback = (...args: unknown[]) => unknown;

/** A value passed between host and worker. */
export interface RpcData {
  string?: string;
  json?: string;
}

/** A binding as the app registered it. The optional fields belong to HTTP triggers. */
export interface Binding {
  type: string;
  direction: 'in' | 'out' | 'inout';
  route?: string;
  methods?: string[];
  authLevel?: 'anonymous' | 'function' | 'admin';
}

/** A function that the app registered. `trigger` is one of its bindings. */
export interface RegisteredFunction {
  name: string;
  metadata: { name: string; bindings: Record<string, Binding> };
  trigger: Binding & { name: string };
  callback: Callback;
}

/** The library's steps for one invocation. */
export interface InvocationModel {
  getArguments(): Promise<{ context: unknown; inputs: unknown[] }>;
  invokeFunction(context: unknown, inputs: unknown[], callback: Callback): Promise<unknown>;
  getResponse(context: unknown, result: unknown): Promise<{ returnValue?: RpcData | null }>;
}

/** The object that the library registers with the worker. */
export interface ProgrammingModel {
  getInvocationModel(context: object): InvocationModel | Promise<InvocationModel>;
  getCapabilities?(
    defaults: Record<string, string>,
  ): Promise<Record<string, string>> | Record<string, string>;
}

type Hook = (context: object) => unknown;
/** The hooks of the app, in the order in which they were registered. */
export type Hooks = Record<'appStart' | 'appTerminate' | 'preInvocation' | 'postInvocation', Hook[]>;

/** Everything that the app has registered. */
export class Worker {
  readonly functions = new Map<string, RegisteredFunction>();
  readonly hooks: Hooks = { appStart: [], appTerminate: [], preInvocation: [], postInvocation: [] };
  readonly appHookData = {};
  readonly appLevelHookData = {};
  model: ProgrammingModel | undefined;
  started = false;
}

class Disposable {
  #onDispose: (() => unknown) | undefined;

  constructor(onDispose: () => unknown) {
    this.#onDispose = onDispose;
  }

  static from(...items: { dispose(): unknown }[]): Disposable {
    return new Disposable(() => items.forEach((item) => item.dispose()));
  }

  dispose(): void {
    this.#onDispose?.();
    this.#onDispose = undefined;
  }
}

/** Writes a log entry of the app to stdout. */
function log(
  level: Level,
  source: string,
  message: string,
  stream: NodeJS.WriteStream = process.stdout,
): void {
  stream.write(`[${new Date().toISOString().slice(11, 23)}] ${level} ${source}: ${message}
`);
}

/** Writes an error of the host itself to stderr. */
export function reportError(source: string, message: string): void {
  log('error', source, message, process.stderr);
}

/** Provides the module to `require`, also inside a bundle. The module is not published in any registry. */
export function provideCoreModule(worker: Worker): void {
  const core = {
    version: '3.9.1',
    hostVersion: '4.1000.0',
    Disposable,
    registerHook: (name: string, hook: Hook) => registerHook(worker, name, hook),
    setProgrammingModel: (model: ProgrammingModel) => void (worker.model = model),
    getProgrammingModel: () => worker.model,
    registerFunction: (metadata: RegisteredFunction['metadata'], callback: Callback) =>
      registerFunction(worker, metadata, callback),
    log: (level: Level, category: Category, message: string) => logForApp('app', level, category, message),
  };
  const prototype = Module.prototype as unknown as { require: (this: unknown, id: string) => unknown };
  const originalRequire = prototype.require;
  prototype.require = function (id) {
    return id === '@azure/functions-core' ? core : originalRequire.call(this, id);
  };
}

/** Writes a log entry of the app or the library, except the library's debug and trace entries. */
export function logForApp(source: string, level: Level, category: Category, message: string): void {
  const isLibraryDebug = category === 'system' && (level === 'debug' || level === 'trace');
  if (!isLibraryDebug) log(level, source, message);
}

function registerHook(worker: Worker, name: string, hook: Hook): Disposable {
  const hooks = Object.hasOwn(worker.hooks, name) ? worker.hooks[name as keyof Hooks] : undefined;
  if (!hooks) {
    // The library uses this flag to explain that a hook needs a newer host.
    throw Object.assign(new RangeError(`Unrecognized hook "${name}"`), { isAzureFunctionsSystemError: true });
  }
  hooks.push(hook);
  return new Disposable(() => {
    const index = hooks.indexOf(hook);
    if (index >= 0) hooks.splice(index, 1);
  });
}

function registerFunction(
  worker: Worker,
  metadata: RegisteredFunction['metadata'],
  callback: Callback,
): Disposable {
  const { name } = metadata;
  if (worker.started) throw new Error('A function can only be registered during app startup.');
  if (worker.functions.has(name))
    throw new Error(`A function with id "${name}" has already been registered.`);
  const trigger = Object.entries(metadata.bindings).find(([, { type }]) => /trigger$/i.test(type));
  if (!trigger) throw new Error(`The function "${name}" has no trigger.`);
  worker.functions.set(name, { name, metadata, callback, trigger: { ...trigger[1], name: trigger[0] } });
  return new Disposable(() => worker.functions.delete(name));
}
