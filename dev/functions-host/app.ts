/** Loads a function app and runs its functions, like the Node.js worker of Azure Functions. */
import { globSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { inspect } from 'node:util';
import {
  type Category,
  type Hooks,
  type Level,
  logForApp,
  provideCoreModule,
  type RegisteredFunction,
  reportError,
  type RpcData,
  Worker,
} from './core.ts';

/** The input of one function call. */
export interface Invocation {
  id: string;
  data: RpcData;
  triggerMetadata?: Record<string, RpcData>;
  traceParent?: string | undefined;
  traceState?: string | undefined;
}

/** The result of a function. `returned` is false when it returned nothing; the library then sends no response. */
export interface InvocationResult {
  returned: boolean;
}

/** A loaded function app. `httpUri` is the address of the library's own server, which runs with `enableHttpStream`. */
export interface FunctionApp {
  functions: RegisteredFunction[];
  httpUri: string | undefined;
  invoke(fn: RegisteredFunction, invocation: Invocation): Promise<InvocationResult>;
  terminate(): Promise<void>;
}

/**
 * Imports and starts the app in the folder `root`. An app that fails to start is reported on stderr and has no
 * functions, as with the real host.
 */
export async function loadFunctionApp(root: string): Promise<FunctionApp> {
  const worker = new Worker();
  provideCoreModule(worker);
  try {
    await importEntryPoints(resolve(root));
    await runHooks(worker, 'appStart', appHookContext(worker, { functionAppDirectory: resolve(root) }));
    if (worker.functions.size === 0) reportError('host', 'The app registered no functions.');
  } catch (error) {
    worker.functions.clear();
    reportError('host', `The app failed to start and has no functions: ${inspect(error)}`);
  }
  worker.started = true;
  const capabilities = worker.functions.size > 0 ? await worker.model?.getCapabilities?.({}) : undefined;
  return {
    functions: [...worker.functions.values()],
    httpUri: capabilities?.['HttpUri'],
    invoke: (fn, invocation) => invoke(worker, fn, invocation),
    terminate: () => runHooks(worker, 'appTerminate', appHookContext(worker, {})),
  };
}

async function importEntryPoints(root: string): Promise<void> {
  const { main } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { main?: string };
  const files = main === undefined ? [] : globSync(main, { cwd: root }).toSorted();
  if (files.length === 0) throw new Error(`"main" in package.json matches no file: ${main ?? '(absent)'}`);
  for (const file of files) {
    try {
      await import(pathToFileURL(join(root, file)).href);
    } catch (cause) {
      throw new Error(`Worker was unable to load entry point "${file}"`, { cause });
    }
  }
}

async function runHooks(worker: Worker, name: keyof Hooks, context: object): Promise<void> {
  for (const hook of worker.hooks[name]) await hook(context);
}

function appHookContext(worker: Worker, values: object): object {
  return withConstants(values, { hookData: worker.appLevelHookData, appHookData: worker.appHookData });
}

/** Adds properties that hooks can read but cannot replace. */
function withConstants<T extends object>(target: T, constants: Record<string, unknown>): T {
  for (const [name, value] of Object.entries(constants)) {
    Object.defineProperty(target, name, { value, enumerable: true });
  }
  return target;
}

function invocationContext(fn: RegisteredFunction, { id, data, ...invocation }: Invocation) {
  return {
    invocationId: id,
    metadata: fn.metadata,
    state: undefined as 'preInvocationHooks' | 'invocation' | 'postInvocationHooks' | undefined,
    log: (level: Level, category: Category, message: string) => logForApp(fn.name, level, category, message),
    request: {
      invocationId: id,
      functionId: fn.name,
      inputData: [{ name: fn.trigger.name, data }],
      triggerMetadata: invocation.triggerMetadata ?? {},
      traceContext: {
        traceParent: invocation.traceParent ?? '',
        traceState: invocation.traceState ?? '',
        attributes: {},
      },
      retryContext: null,
    },
  };
}

async function invoke(
  worker: Worker,
  fn: RegisteredFunction,
  invocation: Invocation,
): Promise<InvocationResult> {
  if (!worker.model) throw new Error('The app has not set a programming model.');
  const core = invocationContext(fn, invocation);
  const model = await worker.model.getInvocationModel(core);
  const { context, inputs } = await model.getArguments();
  const constants = { hookData: {}, appHookData: worker.appHookData, invocationContext: context };

  core.state = 'preInvocationHooks';
  const before = withConstants({ inputs, functionCallback: fn.callback }, constants);
  await runHooks(worker, 'preInvocation', before);

  core.state = 'invocation';
  const outcome: { inputs: unknown[]; result: unknown; error: unknown } = {
    inputs: before.inputs,
    result: null,
    error: null,
  };
  const after = withConstants(outcome, constants);
  try {
    after.result = await model.invokeFunction(context, before.inputs, before.functionCallback);
  } catch (error) {
    after.error = error;
  }

  core.state = 'postInvocationHooks';
  await runHooks(worker, 'postInvocation', after);
  core.state = undefined;
  // A hook may clear the error or set another one.
  if (after.error !== null && after.error !== undefined) throw after.error;
  await model.getResponse(context, after.result);
  return { returned: after.result !== null && after.result !== undefined };
}
