/** LangChain's model for one endpoint, over the pooled HTTP client: for chat completions or for the Responses API. */
import {
  AzureChatOpenAICompletions,
  AzureChatOpenAIResponses,
  ChatOpenAICompletions,
  ChatOpenAIResponses,
} from '@langchain/openai';
import type { EndpointConfig, ModelConfig } from '../config/config.ts';
import type { ModelApi } from '../config/model-config.ts';
import type { HttpClient } from '../pool/http-client.ts';
import { type ModelParameters, toBody } from './parameters.ts';
import { normalizeResponse, normalizeStream } from './stream-events.ts';

/** Call options that are added to those of LangChain. */
interface ParameterOptions {
  parameters: ModelParameters;
}

/** LangChain's models for the two APIs. */
export type LangChainModel = ChatOpenAICompletions | ChatOpenAIResponses;

/**
 * Creates the model. `credential` is an API key or a function that returns a token. The model has no state of its own:
 * each call must pass its parameters in the option `parameters`.
 */
export function createLangChainModel(
  config: ModelConfig,
  endpoint: EndpointConfig,
  credential: string | (() => Promise<string>),
  client: HttpClient,
): LangChainModel {
  const { modelApi } = config;
  // No retries here, because retry layers multiply: one retry here and one in resilient-model would make four requests.
  const common = { model: endpoint.deployment, maxRetries: 0 };
  if (endpoint.api === 'v1') {
    const fields = {
      ...common,
      apiKey: credential,
      configuration: { baseURL: endpoint.url, fetch: client.fetch },
    };
    return patchModel(
      modelApi === 'responses' ? new ChatOpenAIResponses(fields) : new ChatOpenAICompletions(fields),
      modelApi,
    );
  }
  const fields = {
    ...common,
    ...(typeof credential === 'string'
      ? { azureOpenAIApiKey: credential }
      : { azureADTokenProvider: credential }),
    azureOpenAIApiVersion: config.apiVersion,
    // Empty, because LangChain would otherwise read it from an environment variable. So are two fields below.
    azureOpenAIApiInstanceName: '',
    configuration: { fetch: client.fetch },
  };
  if (modelApi === 'chat') {
    return patchModel(
      new AzureChatOpenAICompletions({
        ...fields,
        azureOpenAIEndpoint: endpoint.url,
        azureOpenAIBasePath: '',
        azureOpenAIApiDeploymentName: endpoint.deployment,
      }),
      modelApi,
    );
  }
  return patchModel(
    new AzureChatOpenAIResponses({
      ...fields,
      azureOpenAIEndpoint: '',
      // The Responses API has no path for each deployment. LangChain joins these two to the base of the address.
      azureOpenAIBasePath: endpoint.url,
      azureOpenAIApiDeploymentName: 'openai',
    }),
    modelApi,
  );
}

/**
 * Changes `model` in two ways. It sends exactly the parameters of the call: LangChain would guess their names from the
 * name of the deployment, which can be any name. And it sees the parts of an answer that LangChain would skip.
 */
function patchModel<Model extends LangChainModel>(model: Model, modelApi: ModelApi): Model {
  const invocationParams = model.invocationParams.bind(model) as (...args: unknown[]) => object;
  model.invocationParams = ((...args: unknown[]) => ({
    ...invocationParams(...args),
    ...toBody(modelApi, (args[0] as Partial<ParameterOptions> | undefined)?.parameters ?? {}),
  })) as typeof model.invocationParams;
  // One of its two overloads returns a stream, the other a whole response.
  const request = model.completionWithRetry.bind(model) as (...args: unknown[]) => Promise<object>;
  model.completionWithRetry = (async (...args: unknown[]) => {
    const response = await request(...args);
    return Symbol.asyncIterator in response
      ? normalizeStream(response as AsyncIterable<object>)
      : normalizeResponse(response);
  }) as typeof model.completionWithRetry;
  return model;
}
