/** LangChain's model for one endpoint: for chat completions or for the Responses API. */
import { ChatOpenAICompletions, ChatOpenAIResponses } from '@langchain/openai';
import type { ModelApi } from '../config/model-config.ts';
import type { ApiCall, ApiClient } from './api-client.ts';
import { type ModelParameters, toBody } from './parameters.ts';
import { normalizeResponse, normalizeStream } from './stream-events.ts';

/** Call options that are added to those of LangChain. */
interface ParameterOptions {
  parameters: ModelParameters;
}

/** What LangChain passes on to its client. */
export interface RequestOptions {
  call: ApiCall;
  /** Called with each piece of the text of a stream, which LangChain then does not get. */
  onText?: (text: string) => void;
}

/** LangChain's models for the two APIs. */
export type LangChainModel = ChatOpenAICompletions | ChatOpenAIResponses;

/**
 * Creates the model, which sends its requests through `client`. It has no state of its own: each call must pass its
 * parameters in the option `parameters`, and {@link RequestOptions}.
 */
export function createLangChainModel(
  modelApi: ModelApi,
  deployment: string,
  client: ApiClient,
): LangChainModel {
  // LangChain's own client, which is not used, could not be created without a key.
  const fields = { model: deployment, apiKey: 'unused' };
  return modelApi === 'responses'
    ? patchModel(new ChatOpenAIResponses(fields), modelApi, client)
    : patchModel(new ChatOpenAICompletions(fields), modelApi, client);
}

/**
 * Changes `model` in three ways. It uses our client. It sends exactly the parameters of the call: LangChain would guess
 * their names from the name of the deployment, which can be any name. And it sees the parts of an answer that LangChain
 * would skip.
 */
function patchModel<Model extends LangChainModel>(
  model: Model,
  modelApi: ModelApi,
  client: ApiClient,
): Model {
  const invocationParams = model.invocationParams.bind(model) as (...args: unknown[]) => object;
  model.invocationParams = ((...args: unknown[]) => ({
    ...invocationParams(...args),
    ...toBody(modelApi, (args[0] as Partial<ParameterOptions> | undefined)?.parameters ?? {}),
  })) as typeof model.invocationParams;
  const request = async (body: { stream?: boolean }, { call, onText = () => {} }: RequestOptions) =>
    body.stream
      ? normalizeStream(await client.stream(body, call), onText)
      : normalizeResponse(await client.send(body, call));
  // One of its two overloads returns a stream, the other a whole response.
  model.completionWithRetry = request as unknown as typeof model.completionWithRetry;
  return model;
}
