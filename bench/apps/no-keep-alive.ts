/** One model for all questions, over HTTP/1.1 without keep-alive. Without history and cache. */
import { Agent } from 'undici';
import { createModel } from './model.ts';
import { askFunction } from './ask-function.ts';

// Without pipelining undici sends `Connection: close`.
const model = createModel(new Agent({ pipelining: 0, allowH2: false }));

askFunction(async (request) => {
  const { question } = (await request.json()) as { question: string };
  return { jsonBody: { answer: (await model.invoke(question)).text } };
});
