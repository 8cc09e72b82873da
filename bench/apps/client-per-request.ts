/** What samples do: a model, and with it an HTTP client, for each question. Stateless, so it does less than the app. */
import { app } from '@azure/functions';
import { AzureChatOpenAI } from '@langchain/openai';
import { Agent, fetch } from 'undici';

app.setup({ enableHttpStream: true });
app.http('ask', {
  route: 'ask',
  methods: ['POST'],
  authLevel: 'anonymous',
  async handler(request) {
    const { question } = (await request.json()) as { question: string };
    const dispatcher = new Agent({ connect: { preferH2: true } });
    const model = new AzureChatOpenAI({
      temperature: 0,
      azureOpenAIEndpoint: process.env['AZURE_OPENAI_ENDPOINT'] ?? '',
      azureOpenAIApiKey: process.env['AZURE_OPENAI_API_KEY'] ?? '',
      azureOpenAIApiVersion: '2024-10-21',
      azureOpenAIApiDeploymentName: process.env['AZURE_OPENAI_CHAT_DEPLOYMENT_NAME'] ?? '',
      // undici's fetch is the web's; only its types are its own.
      configuration: { fetch: fetch as unknown as typeof globalThis.fetch, fetchOptions: { dispatcher } },
    });
    const { text } = await model.invoke(question);
    // Many samples leave it open until it times out; this one is tidy.
    void dispatcher.close();
    return { jsonBody: { answer: text } };
  },
});
