/* oxlint-disable no-underscore-dangle -- LangChain gives such names to what a model implements and may use */
/**
 * The LangChain model of this app: chat completions or the Responses API over the pooled HTTP client. Rejected:
 * `ChatOpenAI` with a `fetch` of ours, which needs the client `openai`; and choosing the API by the model's name, or after a
 * refusal, which would hide a wrong setting (docs/decisions/model-client.md).
 */
import type { CallbackManagerForLLMRun } from '@langchain/core/callbacks/manager';
import { CallbackManager } from '@langchain/core/callbacks/manager';
import type {
  BaseLanguageModelInput,
  StructuredOutputMethodOptions,
} from '@langchain/core/language_models/base';
import {
  BaseChatModel,
  type BaseChatModelParams,
  type BindToolsInput,
  type LangSmithParams,
} from '@langchain/core/language_models/chat_models';
import { AIMessageChunk, type BaseMessage } from '@langchain/core/messages';
import { ChatGenerationChunk, type ChatResult } from '@langchain/core/outputs';
import type { Runnable } from '@langchain/core/runnables';
import { IterableReadableStream } from '@langchain/core/utils/stream';
import { convertToOpenAITool } from '@langchain/core/utils/function_calling';
import type { ModelApi } from '../config/model-config.ts';
import { createConnectionRecord } from '../pool/connection-record.ts';
import type { Exchange } from '../pool/http-client.ts';
import { type ApiClient, StreamCutError } from './api-client.ts';
import type { ApiFormat, CompletionRequest, EventReader, PooledCallOptions } from './api-format.ts';
import { chatCompletions } from './chat-completions.ts';
import type { ModelParameters } from './parameters.ts';
import { responsesApi } from './responses-api.ts';
import { DirectStream } from './direct-stream.ts';
import { type Fields, type OutputSchema, structuredOutput } from './structured-output.ts';

/** What a {@link PooledChatModel} is created with, beside the fields of every LangChain model. */
export interface PooledChatModelFields extends BaseChatModelParams {
  api: ModelApi;
  /** Name of the deployment, or of the model on a server that is not Azure's. */
  model: string;
  /** Sends the requests to one endpoint. */
  client: ApiClient;
  parameters?: ModelParameters;
}

type Options = PooledChatModel['ParsedCallOptions'];
type Chunks = AsyncGenerator<ChatGenerationChunk, void, void>;

/**
 * A model of one endpoint, for LangChain. It makes no second attempt: retries are above it. Errors are those of
 * {@link ApiClient}; the reason of the signal when it aborts.
 */
export class PooledChatModel extends BaseChatModel<PooledCallOptions> {
  readonly model: string;
  readonly #client: ApiClient;
  readonly #format: ApiFormat;
  readonly #parameters: ModelParameters;

  constructor(fields: PooledChatModelFields) {
    const { api, model, client, parameters = {}, ...more } = fields;
    // Otherwise LangChain reads it from the environment.
    super({ outputVersion: 'v0', ...more });
    this.model = model;
    this.#client = client;
    this.#format = api === 'responses' ? responsesApi : chatCompletions;
    this.#parameters = parameters;
  }

  static override lc_name(): string {
    return 'PooledChatModel';
  }

  override _llmType(): string {
    return 'pooled';
  }

  /** The fields of a request without its messages. LangChain gives them to callbacks and tracers. */
  override invocationParams(options: Partial<Options> = {}): Record<string, unknown> {
    return this.#format.toFields(this.#toRequest(options, false));
  }

  override getLsParams(options: Options): LangSmithParams {
    const { temperature, maxOutputTokens } = options.parameters ?? this.#parameters;
    return {
      ls_provider: 'openai',
      ls_model_name: this.model,
      ls_model_type: 'chat',
      ...(temperature !== undefined && { ls_temperature: temperature }),
      ...(maxOutputTokens !== undefined && { ls_max_tokens: maxOutputTokens }),
      ...(options.stop && { ls_stop: options.stop }),
    };
  }

  /** Tracers do not get the exchange. */
  override _getCallOptionsForTracing({ exchange: _, ...options }: Options): Omit<Options, 'exchange'> {
    return options;
  }

  override bindTools(tools: BindToolsInput[], options: Partial<PooledCallOptions> = {}) {
    return this.withConfig({ tools: tools.map((tool) => convertToOpenAITool(tool)), ...options });
  }

  /** By default the answer itself is JSON by the schema (`jsonSchema`). `functionCalling` has the model call a function. */
  override withStructuredOutput<Output extends Fields>(
    schema: OutputSchema<Output>,
    options?: StructuredOutputMethodOptions,
  ): Runnable<BaseLanguageModelInput, Output>;
  override withStructuredOutput<Output extends Fields>(
    schema: OutputSchema<Output>,
    options?: StructuredOutputMethodOptions<true>,
  ): Runnable<BaseLanguageModelInput, { raw: BaseMessage; parsed: Output }>;
  override withStructuredOutput<Output extends Fields>(
    schema: OutputSchema<Output>,
    options: StructuredOutputMethodOptions<boolean> = {},
  ) {
    return structuredOutput((bound) => this.withConfig(bound), schema, options);
  }

  async _generate(messages: BaseMessage[], options: Options): Promise<ChatResult> {
    const request = this.#toRequest(options, false);
    const body = this.#format.toBody(request, messages);
    const generation = this.#format.toGeneration(await this.#client.send(body, exchangeOf(options)), request);
    return { generations: [generation] };
  }

  override async *_streamResponseChunks(
    messages: BaseMessage[],
    options: Options,
    runManager?: CallbackManagerForLLMRun,
  ): Chunks {
    const { batches, reader } = await this.#open(messages, options);
    const indices = { prompt: 0, completion: 0 };
    for await (const batch of batches) {
      for (const event of batch) {
        const piece = reader.read(event);
        if (!piece) continue;
        const chunk =
          typeof piece === 'string'
            ? new ChatGenerationChunk({ text: piece, message: toTextMessage(piece, reader) })
            : piece;
        yield chunk;
        await runManager?.handleLLMNewToken(chunk.text, indices, undefined, undefined, undefined, { chunk });
      }
    }
    assertFinished(reader);
  }

  /**
   * LangChain joins all chunks for the end of a run, races each of them with the signal, and passes it through a web stream.
   * While nobody listens, nobody needs that: the chunks are then those of the response.
   */
  override async stream(
    input: BaseLanguageModelInput,
    options: Partial<PooledCallOptions> = {},
  ): Promise<IterableReadableStream<AIMessageChunk>> {
    const isObserved = CallbackManager.configure(options.callbacks, this.callbacks) !== undefined;
    const isPlain =
      (options.outputVersion ?? this.outputVersion) === 'v0' && !options.signal && !options.timeout;
    if (isObserved || !isPlain) return super.stream(input, options);
    const chunks = this.#chunksOf(input, options);
    // Rejects here when there is no answer, as LangChain's stream does, so that a fallback can take over.
    return new DirectStream(await chunks.next(), chunks);
  }

  async *#chunksOf(
    input: BaseLanguageModelInput,
    options: Partial<PooledCallOptions>,
  ): AsyncGenerator<AIMessageChunk, undefined, undefined> {
    const messages = BaseChatModel._convertInputToPromptValue(input).toChatMessages();
    const [, callOptions] = this._separateRunnableConfigFromCallOptionsCompat(options);
    const { batches, reader } = await this.#open(messages, callOptions);
    // The tokens that arrived together are one chunk.
    for await (const batch of batches) for (const message of together(batch, reader)) yield message;
    assertFinished(reader);
    return undefined;
  }

  /** Sends a streamed request. */
  async #open(messages: BaseMessage[], options: Options) {
    const request = this.#toRequest(options, true);
    const body = this.#format.toBody(request, messages);
    const batches = await this.#client.stream(body, exchangeOf(options));
    return { batches, reader: this.#format.createReader(request) };
  }

  #toRequest(options: Options, streamed: boolean): CompletionRequest {
    return { model: this.model, parameters: options.parameters ?? this.#parameters, options, streamed };
  }
}

/** The exchange of a call, or one of its own when the caller is not interested. */
function exchangeOf({ exchange, signal }: Options): Exchange {
  if (exchange && !signal) return exchange;
  const signals = [exchange?.signal, signal].filter((each) => each !== undefined);
  return { record: createConnectionRecord(), ...exchange, signal: AbortSignal.any(signals) };
}

/** @throws StreamFailedError when the stream was cut off, even if it was closed cleanly. */
function assertFinished({ isFinished }: EventReader): void {
  if (!isFinished) throw new StreamCutError();
}

const toTextMessage = (text: string, { id }: EventReader): AIMessageChunk =>
  new AIMessageChunk(id ? { content: text, id } : { content: text });

/** One message for successive pieces of text. */
function* together(batch: Iterable<object>, reader: EventReader): Generator<AIMessageChunk, void, void> {
  let text = '';
  try {
    for (const event of batch) {
      const piece = reader.read(event);
      if (typeof piece === 'string') text += piece;
      if (typeof piece === 'string' || !piece) continue;
      if (text !== '') yield toTextMessage(text, reader);
      text = '';
      const { message, generationInfo } = piece;
      message.response_metadata = { ...generationInfo, ...message.response_metadata };
      yield message as AIMessageChunk;
    }
  } catch (error) {
    // What precedes an event that cannot be read was answered.
    if (text !== '') yield toTextMessage(text, reader);
    throw error;
  }
  if (text !== '') yield toTextMessage(text, reader);
}
