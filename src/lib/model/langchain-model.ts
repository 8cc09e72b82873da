/** LangChain's model at one endpoint, over the pooled HTTP client. */
import { AzureChatOpenAICompletions, ChatOpenAICompletions } from '@langchain/openai';
import type { EndpointConfig, ModelConfig } from '../config/config.ts';
import type { HttpClient } from '../pool/http-client.ts';
import type { ModelParameters } from './parameters.ts';

/** Options of a call that LangChain does not know. */
export interface ExactOptions {
  parameters: ModelParameters;
}

/**
 * Makes the model. `credential` is its key, or gives a token. It keeps no state between calls but the pool behind
 * `client`; the parameters come with each call, as {@link ExactOptions}.
 */
export function createLangChainModel(
  config: ModelConfig,
  endpoint: EndpointConfig,
  credential: string | (() => Promise<string>),
  client: HttpClient,
): ChatOpenAICompletions {
  // Retry layers multiply: one below ours would turn 1 x 1 retries into 4 requests.
  const common = { model: config.deployment, maxRetries: 0 };
  if (endpoint.api === 'v1') {
    return sendExactly(
      new ChatOpenAICompletions({
        ...common,
        apiKey: credential,
        configuration: { baseURL: endpoint.url, fetch: client.fetch },
      }),
    );
  }
  return sendExactly(
    new AzureChatOpenAICompletions({
      ...common,
      azureOpenAIEndpoint: endpoint.url,
      ...(typeof credential === 'string'
        ? { azureOpenAIApiKey: credential }
        : { azureADTokenProvider: credential }),
      azureOpenAIApiVersion: config.apiVersion,
      azureOpenAIApiDeploymentName: config.deployment,
      // Empty, because LangChain would otherwise take them from the environment, past our settings.
      azureOpenAIBasePath: '',
      azureOpenAIApiInstanceName: '',
      configuration: { fetch: client.fetch },
    }),
  );
}

/** Names that LangChain chooses by the name of the deployment, which says nothing about the model behind it. */
const NOT_GUESSED = { temperature: undefined, max_tokens: undefined, max_completion_tokens: undefined };

/**
 * Makes `model` send the parameters of the call and no others, and read what Azure's asynchronous content filter
 * sends: a choice without `delta`, which LangChain would pass over together with its `finish_reason`
 * (learn.microsoft.com/azure/ai-foundry/openai/concepts/content-streaming).
 */
function sendExactly(model: ChatOpenAICompletions): ChatOpenAICompletions {
  const paramsOf = model.invocationParams.bind(model);
  model.invocationParams = (options, extra) => {
    const { parameters } = options as unknown as ExactOptions;
    return { ...paramsOf(options, extra), ...NOT_GUESSED, ...parameters } as ReturnType<typeof paramsOf>;
  };
  // Of its two overloads, one gives chunks and one gives an answer.
  const request = model.completionWithRetry.bind(model) as (...args: unknown[]) => Promise<object>;
  model.completionWithRetry = (async (...args: unknown[]) => {
    const answer = await request(...args);
    return Symbol.asyncIterator in answer ? withDeltas(answer as AsyncIterable<Chunk>) : answer;
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
