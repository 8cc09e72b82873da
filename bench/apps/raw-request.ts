/** The unit of `npm run bench`: the constant function with one request to the model by undici alone, over HTTP/2. */
import { app } from '@azure/functions';
import { Agent, request } from 'undici';

const { env } = process;
const dispatcher = new Agent({ allowH2: true, connections: 1 });
const url = `${env['AZURE_OPENAI_ENDPOINT']}/openai/deployments/${env['AZURE_OPENAI_CHAT_DEPLOYMENT_NAME']}/chat/completions?api-version=2024-10-21`;
const headers = { 'content-type': 'application/json', 'api-key': env['AZURE_OPENAI_API_KEY'] ?? '' };

app.setup({ enableHttpStream: true });
app.http('ask', {
  route: 'ask',
  methods: ['POST'],
  authLevel: 'anonymous',
  async handler() {
    const body = JSON.stringify({ messages: [{ role: 'user', content: 'What is the capital of France?' }] });
    const response = await request(url, { method: 'POST', headers, body, dispatcher });
    await response.body.text();
    return { jsonBody: { answer: 'The capital of France is Paris.' } };
  },
});
