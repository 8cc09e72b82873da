/** An app whose model is on a server that is not Azure's. */
import {
  type CompatibleServer,
  type CompatibleServerOptions,
  startCompatibleServer,
} from '../../dev/stack/compatible-server.ts';
import type { AppOptions } from './app.ts';
import { useSharedApp, useStarter } from './fixture.ts';

/** The server without options of this worker. */
let shared: CompatibleServer | undefined;

/** Each test takes both with `start`: shared ones, or with any argument new ones. `env` overrides the settings of the app. */
export function useOtherServer() {
  const server = useStarter(serverWith, async (running) => running === shared || running.close());
  const app = useSharedApp();
  const start = async (options?: CompatibleServerOptions, env?: AppOptions['env']) => {
    await server.start(options);
    await app.start({ fresh: options !== undefined, ...optionsFor(server, env) });
  };
  return { app, server, start };
}

async function serverWith(options: CompatibleServerOptions | undefined): Promise<CompatibleServer> {
  if (options) return startCompatibleServer(options);
  shared ??= await startCompatibleServer();
  for (const records of [shared.requests, shared.headers, shared.paths]) records.length = 0;
  return shared;
}

/** Options of an app that asks this server, without a key. */
export const optionsFor = ({ url }: { url: string }, env: AppOptions['env'] = {}): AppOptions => ({
  env: {
    AZURE_OPENAI_ENDPOINT: url,
    AZURE_OPENAI_API_KEY: '',
    AZURE_OPENAI_CHAT_DEPLOYMENT_NAME: 'llama3.2',
    ...env,
  },
});

/** The text of a stream of chat completions. */
export const sse = (...events: object[]): string =>
  [...events.map((event) => JSON.stringify(event)), '[DONE]'].map((data) => `data: ${data}\n\n`).join('');
