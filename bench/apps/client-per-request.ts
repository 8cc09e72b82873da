/** A model with its own HTTP client for each question, as in many samples. Without history and cache. */
import { Agent } from 'undici';
import { createModel } from './model.ts';
import { askFunction } from './ask-function.ts';

askFunction(async (request) => {
  const { question } = (await request.json()) as { question: string };
  const dispatcher = new Agent({ connect: { preferH2: true } });
  const { text } = await createModel(dispatcher).invoke(question);
  // Many samples leave the client open until it times out; closing it is the fairer comparison.
  void dispatcher.close();
  return { jsonBody: { answer: text } };
});
