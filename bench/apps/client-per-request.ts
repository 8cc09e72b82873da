/** What samples do: a model, and with it an HTTP client, for each question. Stateless, so it does less than the app. */
import { app } from '@azure/functions';
import { Agent } from 'undici';
import { createModel } from './model.ts';

app.setup({ enableHttpStream: true });
app.http('ask', {
  route: 'ask',
  methods: ['POST'],
  authLevel: 'anonymous',
  async handler(request) {
    const { question } = (await request.json()) as { question: string };
    const dispatcher = new Agent({ connect: { preferH2: true } });
    const { text } = await createModel(dispatcher).invoke(question);
    // Many samples leave it open until it times out; this one is tidy.
    void dispatcher.close();
    return { jsonBody: { answer: text } };
  },
});
