/** The model by undici alone, over HTTP/2, with settings from the environment. */
import { Agent, type Dispatcher, request } from 'undici';

const { env } = process;
const dispatcher = new Agent({ allowH2: true, connections: 1 });
const url = `${env['AZURE_OPENAI_ENDPOINT']}/openai/deployments/${env['AZURE_OPENAI_CHAT_DEPLOYMENT_NAME']}/chat/completions?api-version=2024-10-21`;
const headers = { 'content-type': 'application/json', 'api-key': env['AZURE_OPENAI_API_KEY'] ?? '' };

/** Sends a chat completion request. */
export const askModel = (body: object): Promise<Dispatcher.ResponseData> =>
  request(url, { method: 'POST', headers, body: JSON.stringify(body), dispatcher });
