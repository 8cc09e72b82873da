/** The model as samples make it, with the settings from the environment, over undici's own fetch. */
import { AzureChatOpenAI } from '@langchain/openai';
import { type Dispatcher, fetch } from 'undici';

/** Makes one that sends through `dispatcher`. */
export function createModel(dispatcher: Dispatcher): AzureChatOpenAI {
  return new AzureChatOpenAI({
    temperature: 0,
    azureOpenAIEndpoint: process.env['AZURE_OPENAI_ENDPOINT'] ?? '',
    azureOpenAIApiKey: process.env['AZURE_OPENAI_API_KEY'] ?? '',
    azureOpenAIApiVersion: '2024-10-21',
    azureOpenAIApiDeploymentName: process.env['AZURE_OPENAI_CHAT_DEPLOYMENT_NAME'] ?? '',
    // undici's fetch is the web's; only its types are its own.
    configuration: { fetch: fetch as unknown as typeof globalThis.fetch, fetchOptions: { dispatcher } },
  });
}
