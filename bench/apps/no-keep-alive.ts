/** One model for all questions, over HTTP/1.1 without keep-alive. Stateless, so it does less than the app. */
import { app } from '@azure/functions';
import { AzureChatOpenAI } from '@langchain/openai';
import { Agent, fetch } from 'undici';

const model = new AzureChatOpenAI({
  temperature: 0,
  azureOpenAIEndpoint: process.env['AZURE_OPENAI_ENDPOINT'] ?? '',
  azureOpenAIApiKey: process.env['AZURE_OPENAI_API_KEY'] ?? '',
  azureOpenAIApiVersion: '2024-10-21',
  azureOpenAIApiDeploymentName: process.env['AZURE_OPENAI_CHAT_DEPLOYMENT_NAME'] ?? '',
  configuration: {
    // undici's fetch is the web's; only its types are its own.
    fetch: fetch as unknown as typeof globalThis.fetch,
    // Without pipelining undici sends `Connection: close`.
    fetchOptions: { dispatcher: new Agent({ pipelining: 0, allowH2: false }) },
  },
});

app.setup({ enableHttpStream: true });
app.http('ask', {
  route: 'ask',
  methods: ['POST'],
  authLevel: 'anonymous',
  async handler(request) {
    const { question } = (await request.json()) as { question: string };
    return { jsonBody: { answer: (await model.invoke(question)).text } };
  },
});
