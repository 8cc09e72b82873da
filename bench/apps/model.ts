/** A model as samples create it, with settings from the environment, over undici's fetch. */
import { AzureChatOpenAI } from '@langchain/openai';
import { type Dispatcher, fetch } from 'undici';

/** Creates a model that sends its requests through `dispatcher`. */
export function createModel(dispatcher: Dispatcher): AzureChatOpenAI {
  return new AzureChatOpenAI({
    temperature: 0,
    azureOpenAIEndpoint: process.env['AZURE_OPENAI_ENDPOINT'] ?? '',
    azureOpenAIApiKey: process.env['AZURE_OPENAI_API_KEY'] ?? '',
    azureOpenAIApiVersion: '2024-10-21',
    azureOpenAIApiDeploymentName: process.env['AZURE_OPENAI_CHAT_DEPLOYMENT_NAME'] ?? '',
    // undici's fetch is compatible with the global one, but has its own types.
    configuration: { fetch: fetch as unknown as typeof globalThis.fetch, fetchOptions: { dispatcher } },
  });
}
