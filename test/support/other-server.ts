/** An app whose model is on a server that is not Azure's. */
import { startCompatibleServer } from '../../dev/stack/compatible-server.ts';
import type { AppOptions } from './app.ts';
import { useFreshApp, useStarter } from './fixture.ts';

/** Both are started by each test with `start`. `env` overrides the settings of the app. */
export function useOtherServer() {
  const server = useStarter(startCompatibleServer, (running) => running.close());
  const app = useFreshApp();
  const start = async (options?: Parameters<typeof startCompatibleServer>[0], env?: AppOptions['env']) => {
    await server.start(options);
    await app.start(optionsFor(server, env));
  };
  return { app, server, start };
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
