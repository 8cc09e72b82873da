/**
 * The programming model of the app: that of the `@azure/functions` library, but an HTTP function gets the request as it
 * arrived on the connection, and its response is written to that connection. The worker's module `@azure/functions-core`
 * lets an app set its model:
 * github.com/Azure/azure-functions-nodejs-worker, types-core/index.d.ts
 */
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { Server } from 'node:http';
import { createRequire } from 'node:module';
import { ForwardedRequests, type RawRequest } from '../http/raw-request.ts';
import type { Reply } from '../http/response.ts';

/** What the worker gives the model of one invocation. */
interface CoreContext {
  invocationId: string;
  metadata: { bindings: Record<string, { type: string }> };
  request: { triggerMetadata?: object | null; inputData?: unknown[] | null };
}

interface InvocationModel {
  getArguments(): Promise<{ context: unknown; inputs: unknown[] }>;
  getResponse(context: unknown, result: unknown): Promise<object>;
}

type Capabilities = Record<string, string>;

interface ProgrammingModel {
  name: string;
  version: string;
  getInvocationModel(context: CoreContext): InvocationModel;
  getCapabilities(capabilities: Capabilities): Promise<Capabilities>;
}

interface CoreModule {
  getProgrammingModel(): ProgrammingModel;
  setProgrammingModel(model: ProgrammingModel): void;
}

/** Node publishes here that a server is about to listen. */
const LISTEN = 'tracing:net.server.listen:asyncStart';

/**
 * Limit of a request's headers, in bytes. It is above that of the host, 32 KiB, so that a request that the host accepts
 * is never refused by the library's server: Node's own limit is 16 KiB.
 */
const MAX_HEADER_BYTES = 64 * 1024;

const core = createRequire(import.meta.url)('@azure/functions-core') as CoreModule;
let ours: ProgrammingModel | undefined;

/** Replaces the library's model, once. Call it after a function was registered: only then has the library set its own. */
export function useRawRequests(): void {
  ours ??= onRawRequests(core.getProgrammingModel());
  if (core.getProgrammingModel() !== ours) core.setProgrammingModel(ours);
}

function onRawRequests(library: ProgrammingModel): ProgrammingModel {
  const requests = new ForwardedRequests();
  const onListen = (message: unknown): void => {
    const { server } = message as { server: unknown };
    if (server instanceof Server) intercept(server, requests);
  };
  return {
    name: library.name,
    version: library.version,
    async getCapabilities(capabilities) {
      subscribe(LISTEN, onListen);
      try {
        return await library.getCapabilities(capabilities);
      } finally {
        unsubscribe(LISTEN, onListen);
      }
    },
    getInvocationModel(context) {
      const isHttp = Object.values(context.metadata.bindings).some(({ type }) => /^httptrigger$/i.test(type));
      if (!isHttp) return library.getInvocationModel(context);
      context.request.triggerMetadata = {};
      // Without input the library neither waits for the request nor makes an object of it.
      context.request.inputData = [];
      return onRawRequest(library.getInvocationModel(context), context.invocationId, requests);
    },
  };
}

/** The only input of an HTTP function becomes its raw request, which takes the response. */
function onRawRequest(model: InvocationModel, id: string, requests: ForwardedRequests): InvocationModel {
  const getArguments = model.getArguments.bind(model);
  let request: RawRequest;
  model.getArguments = async () => {
    request = await requests.take(id);
    const { context } = await getArguments();
    return { context, inputs: [request] };
  };
  model.getResponse = async (_, reply) => {
    await request.respond(reply as Reply);
    return { invocationId: id, outputData: [] };
  };
  return model;
}

/** Takes the place of the library's listener. @throws Error when the library does not listen as expected. */
function intercept(server: Server, requests: ForwardedRequests): void {
  if (server.listenerCount('request') !== 1)
    throw new Error('@azure/functions listens to requests in an unknown way.');
  server.removeAllListeners('request');
  server.on('request', (message, response) => requests.receive(message, response));
  server.on('connection', () => requests.accept());
  // Read for each connection, like the option of `createServer`.
  Object.assign(server, { maxHeaderSize: MAX_HEADER_BYTES });
}
