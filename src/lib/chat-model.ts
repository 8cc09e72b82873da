/** The chat model: Azure OpenAI through LangChain, over the pooled HTTP client. */
import type { BaseChatModel } from '@langchain/core/language_models/chat_models';
import { coerceMessageLikeToMessage, type UsageMetadata } from '@langchain/core/messages';
import { AzureChatOpenAICompletions, ChatOpenAICompletions } from '@langchain/openai';
import type { EndpointConfig, ModelConfig } from './config.ts';
import { AskError, errors } from './errors.ts';
import type { ConnectionRecord } from './connection-record.ts';
import type { HttpClient } from './http-client.ts';
import type { Message } from './prompt.ts';

/** What the model answered. */
export interface Completion {
  text: string;
  /** `stop` when the model said all it wanted to. */
  finishReason: string;
  tokens: TokenUsage;
  /** What the model calls this answer; undefined when it does not. */
  id: string | undefined;
  /** The model that answered, with its version; undefined when it does not say. */
  model: string | undefined;
}

/** Tokens that the model counted; `cached` are those of the prompt that it had cached. */
export interface TokenUsage {
  prompt: number;
  completion: number;
  cached: number;
}

/** What LangChain gives, as far as we read it; it types the metadata as anything. */
interface ModelMessage {
  text: string;
  id?: string | undefined;
  response_metadata: { finish_reason?: string | undefined; model_name?: string | undefined };
  usage_metadata?: UsageMetadata | undefined;
}

/**
 * Makes the model at one endpoint. `credential` is its key, or gives a token. The model keeps no state between calls
 * but the pool behind `client`.
 */
export function createChatModel(
  config: ModelConfig,
  endpoint: EndpointConfig,
  credential: string | (() => Promise<string>),
  client: HttpClient,
): BaseChatModel {
  const common = {
    model: config.deployment,
    temperature: config.temperature,
    ...(config.maxOutputTokens !== undefined && { maxTokens: config.maxOutputTokens }),
    // Retry layers multiply: one below ours would turn 1 x 1 retries into 4 requests.
    maxRetries: 0,
  };
  if (endpoint.api === 'v1') {
    return new ChatOpenAICompletions({
      ...common,
      apiKey: credential,
      configuration: { baseURL: endpoint.url, fetch: client.fetch },
    });
  }
  return new AzureChatOpenAICompletions({
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
  });
}

/**
 * Asks the model once. `record` learns about the connection.
 * @throws AskError by DESIGN's table of faults, or the reason of `signal` when that ended the call.
 */
export async function complete(
  model: BaseChatModel,
  prompt: Message[],
  record: ConnectionRecord,
  signal: AbortSignal,
): Promise<Completion> {
  // LangChain hands `options` to the OpenAI client, and that hands `fetchOptions` to our fetch; neither type knows it.
  const options = { signal, options: { fetchOptions: { record } } } as Record<string, unknown>;
  let message: ModelMessage;
  try {
    message = await model.invoke(prompt, options);
  } catch (error) {
    throw signal.aborted ? signal.reason : toModelError(error, record);
  }
  return toCompletion(message);
}

/**
 * Asks the model once and hands on its text as it comes. Otherwise as {@link complete}; what it throws after the first
 * piece of text ends an answer that was begun.
 */
export async function stream(
  model: BaseChatModel,
  prompt: Message[],
  record: ConnectionRecord,
  signal: AbortSignal,
  onToken: (text: string) => void,
): Promise<Completion> {
  // LangChain hands `fetchOptions` on to the OpenAI client, and that to our fetch; neither type knows it.
  const options = { signal, fetchOptions: { record } } as BaseChatModel['ParsedCallOptions'];
  const whole = { text: '', response_metadata: {}, usage_metadata: undefined } as ModelMessage;
  // Half of a surrogate pair waits for its other half.
  let half = '';
  try {
    // What `stream` adds to it, callbacks and a stream of the web, takes as much CPU again: docs/performance.md.
    // oxlint-disable-next-line no-underscore-dangle -- LangChain names so what models implement, and documents it
    const chunks = model._streamResponseChunks(prompt.map(coerceMessageLikeToMessage), options);
    for await (const { message, generationInfo } of chunks) {
      const chunk = message as unknown as ModelMessage;
      Object.assign(whole.response_metadata, generationInfo);
      whole.usage_metadata ??= chunk.usage_metadata;
      whole.id ??= chunk.id;
      const text = half + chunk.text;
      half = /[\ud800-\udbff]$/.exec(text)?.[0] ?? '';
      const token = text.slice(0, text.length - half.length).toWellFormed();
      whole.text += token;
      if (token !== '') onToken(token);
    }
  } catch (error) {
    throw signal.aborted ? signal.reason : toModelError(error, record);
  }
  // Without its last words an answer is none, however orderly the connection ended.
  if (whole.response_metadata.finish_reason === undefined) {
    throw errors.modelUnavailable(new Error('the stream ended without a finish_reason'));
  }
  return toCompletion(whole);
}

function toCompletion(message: ModelMessage): Completion {
  const finishReason = message.response_metadata.finish_reason ?? '';
  if (finishReason === 'content_filter') throw errors.contentFiltered();
  // A lone surrogate cannot be stored or sent as UTF-8; JSON from the model could hold one.
  const text = message.text.toWellFormed();
  if (text === '') throw errors.modelUnavailable(new Error(`empty answer, finish_reason ${finishReason}`));
  const usage = message.usage_metadata;
  return {
    text,
    finishReason,
    tokens: {
      prompt: usage?.input_tokens ?? 0,
      completion: usage?.output_tokens ?? 0,
      cached: usage?.input_token_details?.cache_read ?? 0,
    },
    id: message.id,
    model: message.response_metadata.model_name,
  };
}

/** What the OpenAI client throws, as far as we read it. */
interface UpstreamError {
  code?: unknown;
  headers?: { get(name: string): string | null };
}

function toModelError(error: unknown, record: ConnectionRecord): AskError {
  const own = causeOfOurs(error);
  if (own) return own;
  const { code, headers } = (error ?? {}) as UpstreamError;
  const { status } = record;
  if (code === 'content_filter') return errors.contentFiltered(error);
  if (code === 'context_length_exceeded') return errors.conversationTooLong(error);
  if (status === 429) return errors.modelRateLimited(retryAfterMs(headers), error);
  // The same request would be refused again.
  if (status !== null && status >= 400 && status < 500 && !PASSING.has(status)) {
    return errors.modelMisconfigured(error);
  }
  return errors.modelUnavailable(error, retryAfterMs(headers));
}

/** Those of 400 to 499 that another attempt may not get: request timeout, conflict, too early. */
const PASSING = new Set([408, 409, 425]);

/** What we threw ourselves, such as {@link signIn}'s error, which the OpenAI client wraps. */
function causeOfOurs(error: unknown): AskError | undefined {
  for (let cause = error; cause instanceof Error; cause = cause.cause)
    if (cause instanceof AskError) return cause;
  return undefined;
}

/** Reads `retry-after-ms` or `Retry-After` (seconds, or a date). Gives milliseconds. */
function retryAfterMs(headers: UpstreamError['headers']): number | undefined {
  const ms = Number.parseFloat(headers?.get('retry-after-ms') ?? '');
  if (ms >= 0) return ms;
  const value = headers?.get('retry-after') ?? '';
  const wait = /^\s*[\d.]+\s*$/.test(value) ? 1000 * Number(value) : Date.parse(value) - Date.now();
  return Number.isNaN(wait) ? undefined : Math.max(0, wait);
}
