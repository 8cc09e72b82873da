/** LangChain's model for one endpoint, over the pooled HTTP client. */
import { AzureChatOpenAICompletions, ChatOpenAICompletions } from '@langchain/openai';
import type { EndpointConfig, ModelConfig } from '../config/config.ts';
import type { HttpClient } from '../pool/http-client.ts';
import type { ModelParameters } from './parameters.ts';

/** Call options that are added to those of LangChain. */
interface ParameterOptions {
  parameters: ModelParameters;
}

/**
 * Creates the model. `credential` is an API key or a function that returns a token. The model has no state of its own:
 * each call must pass its parameters in the option `parameters`.
 */
export function createLangChainModel(
  config: ModelConfig,
  endpoint: EndpointConfig,
  credential: string | (() => Promise<string>),
  client: HttpClient,
): ChatOpenAICompletions {
  // No retries here, because retry layers multiply: one retry here and one in resilient-model would make four requests.
  const common = { model: config.deployment, maxRetries: 0 };
  if (endpoint.api === 'v1') {
    return patchModel(
      new ChatOpenAICompletions({
        ...common,
        apiKey: credential,
        configuration: { baseURL: endpoint.url, fetch: client.fetch },
      }),
    );
  }
  return patchModel(
    new AzureChatOpenAICompletions({
      ...common,
      azureOpenAIEndpoint: endpoint.url,
      ...(typeof credential === 'string'
        ? { azureOpenAIApiKey: credential }
        : { azureADTokenProvider: credential }),
      azureOpenAIApiVersion: config.apiVersion,
      azureOpenAIApiDeploymentName: config.deployment,
      // Empty, because LangChain would otherwise read them from environment variables.
      azureOpenAIBasePath: '',
      azureOpenAIApiInstanceName: '',
      configuration: { fetch: client.fetch },
    }),
  );
}

/** LangChain sets these by guessing the model from the name of the deployment, which can be any name. */
const GUESSED_PARAMETERS = {
  temperature: undefined,
  max_tokens: undefined,
  max_completion_tokens: undefined,
};

/**
 * Changes `model` in two ways. It sends exactly the parameters of the call. And it accepts a choice without `delta`,
 * which Azure's asynchronous content filter sends and LangChain would skip together with its `finish_reason`
 * (learn.microsoft.com/azure/ai-foundry/openai/concepts/content-streaming).
 */
function patchModel(model: ChatOpenAICompletions): ChatOpenAICompletions {
  const invocationParams = model.invocationParams.bind(model);
  model.invocationParams = (options, extra) => {
    const { parameters } = options as unknown as ParameterOptions;
    return { ...invocationParams(options, extra), ...GUESSED_PARAMETERS, ...parameters } as ReturnType<
      typeof invocationParams
    >;
  };
  // One of its two overloads returns a stream of chunks, the other a whole response.
  const request = model.completionWithRetry.bind(model) as (...args: unknown[]) => Promise<object>;
  model.completionWithRetry = (async (...args: unknown[]) => {
    const response = await request(...args);
    return Symbol.asyncIterator in response ? withDeltas(response as AsyncIterable<Chunk>) : response;
  }) as typeof model.completionWithRetry;
  return model;
}

interface Chunk {
  choices?: { delta?: object | null }[];
}

async function* withDeltas(chunks: AsyncIterable<Chunk>): AsyncGenerator<Chunk, void, void> {
  for await (const chunk of chunks) {
    const [choice] = chunk.choices ?? [];
    if (choice) choice.delta ??= {};
    yield chunk;
  }
}
