/** One model for all questions, over HTTP/1.1 without keep-alive. Without history and cache. */
import { app } from '@azure/functions';
import { Agent } from 'undici';
import { createModel } from './model.ts';

// Without pipelining undici sends `Connection: close`.
const model = createModel(new Agent({ pipelining: 0, allowH2: false }));

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
