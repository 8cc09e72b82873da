/** An app whose model is on a server that is not Azure's. */
import {
  type CompatibleServer,
  type CompatibleServerOptions,
  startCompatibleServer,
} from '../../dev/stack/compatible-server.ts';
import { startApp, type TestApp } from './app.ts';

/** Starts both, without a key. `env` overrides the settings. */
export async function startWithOtherServer(
  options: CompatibleServerOptions = {},
  env: Record<string, string> = {},
): Promise<{ app: TestApp; server: CompatibleServer }> {
  const server = await startCompatibleServer(options);
  return { app: await startAppOf(server, env), server };
}

/** Starts an app for a running server. */
export const startAppOf = ({ url }: CompatibleServer, env: Record<string, string> = {}): Promise<TestApp> =>
  startApp({
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
