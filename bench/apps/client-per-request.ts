/** A model with its own HTTP client for each question, as in many samples. Without history and cache. */
import { AzureChatOpenAI } from '@langchain/openai';
import { Agent, fetch } from 'undici';
import { askFunction } from './ask-function.ts';

const { env } = process;

askFunction(async (request) => {
  const { question } = (await request.json()) as { question: string };
  const dispatcher = new Agent({ connect: { preferH2: true } });
  const model = new AzureChatOpenAI({
    temperature: 0,
    azureOpenAIEndpoint: env['AZURE_OPENAI_ENDPOINT'] ?? '',
    azureOpenAIApiKey: env['AZURE_OPENAI_API_KEY'] ?? '',
    azureOpenAIApiVersion: '2024-10-21',
    azureOpenAIApiDeploymentName: env['AZURE_OPENAI_CHAT_DEPLOYMENT_NAME'] ?? '',
    // undici's fetch is compatible with the global one, but has its own types.
    configuration: { fetch: fetch as unknown as typeof globalThis.fetch, fetchOptions: { dispatcher } },
  });
  const { text } = await model.invoke(question);
  // Many samples leave the client open until it times out; closing it is the fairer comparison.
  void dispatcher.close();
  return { jsonBody: { answer: text } };
});
