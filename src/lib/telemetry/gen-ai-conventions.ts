/**
 * The names that this app uses from OpenTelemetry's semantic conventions. The conventions for generative AI are still in
 * development, so all names are in this file: opentelemetry.io/docs/specs/semconv/gen-ai, as of commit 004902b of
 * open-telemetry/semantic-conventions-genai.
 */
import type { Attributes } from '@opentelemetry/api';
import type { Config, EndpointConfig } from '../config/config.ts';
import { parametersOf } from '../model/parameters.ts';
import type { CallRecord, Message } from '../model/completion.ts';

/** Attributes of model calls, for spans and metrics. */
export const GEN_AI = {
  operation: 'gen_ai.operation.name',
  provider: 'gen_ai.provider.name',
  conversation: 'gen_ai.conversation.id',
  requestModel: 'gen_ai.request.model',
  requestStream: 'gen_ai.request.stream',
  requestTemperature: 'gen_ai.request.temperature',
  requestMaxTokens: 'gen_ai.request.max_tokens',
  responseId: 'gen_ai.response.id',
  responseModel: 'gen_ai.response.model',
  finishReasons: 'gen_ai.response.finish_reasons',
  timeToFirstChunk: 'gen_ai.response.time_to_first_chunk',
  inputTokens: 'gen_ai.usage.input_tokens',
  outputTokens: 'gen_ai.usage.output_tokens',
  cachedTokens: 'gen_ai.usage.cache_read.input_tokens',
  cacheWriteTokens: 'gen_ai.usage.cache_creation.input_tokens',
  reasoningTokens: 'gen_ai.usage.reasoning.output_tokens',
  tokenType: 'gen_ai.token.type',
  systemInstructions: 'gen_ai.system_instructions',
  inputMessages: 'gen_ai.input.messages',
  outputMessages: 'gen_ai.output.messages',
  toolName: 'gen_ai.tool.name',
  promptName: 'gen_ai.prompt.name',
} as const;

/** Attributes of requests of the Model Context Protocol. */
export const MCP = {
  method: 'mcp.method.name',
  protocolVersion: 'mcp.protocol.version',
  requestId: 'jsonrpc.request.id',
  statusCode: 'rpc.response.status_code',
} as const;

/** The operation and the provider of every model call. */
export const CHAT = 'chat';
const PROVIDER = 'azure.ai.openai';

/** Attributes of the general conventions. */
export const GENERAL = {
  serverAddress: 'server.address',
  serverPort: 'server.port',
  errorType: 'error.type',
  protocolVersion: 'network.protocol.version',
  coldStart: 'faas.coldstart',
  invocation: 'faas.invocation_id',
  serviceName: 'service.name',
  serviceInstance: 'service.instance.id',
} as const;

/** Bounds in seconds. */
const DURATION_BUCKETS = [
  0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92,
];

/** Metrics of model calls, with the bounds of their buckets. */
export const GEN_AI_METRICS = {
  duration: { name: 'gen_ai.client.operation.duration', unit: 's', buckets: DURATION_BUCKETS },
  timeToFirstChunk: {
    name: 'gen_ai.client.operation.time_to_first_chunk',
    unit: 's',
    buckets: DURATION_BUCKETS,
  },
  tokenUsage: {
    name: 'gen_ai.client.token.usage',
    unit: '{token}',
    buckets: [
      1, 4, 16, 64, 256, 1024, 4096, 16_384, 65_536, 262_144, 1_048_576, 4_194_304, 16_777_216, 67_108_864,
    ],
  },
};

/** The metric of requests of the Model Context Protocol, with the bounds of its buckets in seconds. */
export const MCP_DURATION = {
  name: 'mcp.server.operation.duration',
  unit: 's',
  buckets: [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 120, 300],
};

/** The endpoint that a call was sent to last; the primary one when no request was sent. */
export const endpointOf = ({ model }: Config, { connection }: CallRecord): EndpointConfig =>
  model.endpoints[connection.endpoint] ?? model.endpoints[0];

/** Attributes of all metrics of a call. Each has few distinct values, to keep the cardinality low. */
export function commonAttributes(config: Config, call: CallRecord): Attributes {
  const endpoint = endpointOf(config, call);
  const { completion } = call;
  const url = URL.parse(endpoint.url);
  return {
    [GEN_AI.operation]: CHAT,
    [GEN_AI.provider]: PROVIDER,
    [GEN_AI.requestModel]: endpoint.deployment,
    ...(completion?.model && { [GEN_AI.responseModel]: completion.model }),
    ...(url && { [GENERAL.serverAddress]: url.hostname, [GENERAL.serverPort]: portOf(url) }),
  };
}

/** All attributes of a span, except the contents of prompt and answer. */
export function callAttributes(config: Config, call: CallRecord): Attributes {
  const { connection, completion, error, streamed, tokens } = call;
  const { temperature, maxOutputTokens } = completion?.target.parameters ?? parametersOf(config.model);
  return {
    ...commonAttributes(config, call),
    [GEN_AI.requestStream]: streamed,
    ...(temperature !== undefined && { [GEN_AI.requestTemperature]: temperature }),
    ...(maxOutputTokens !== undefined && { [GEN_AI.requestMaxTokens]: maxOutputTokens }),
    ...(streamed && call.firstTokenAt !== null && { [GEN_AI.timeToFirstChunk]: timeToFirstChunk(call) }),
    ...(completion && {
      ...(completion.id && { [GEN_AI.responseId]: completion.id }),
      [GEN_AI.finishReasons]: [completion.finishReason],
      [GEN_AI.inputTokens]: tokens.prompt,
      [GEN_AI.outputTokens]: tokens.completion,
      [GEN_AI.cachedTokens]: tokens.cached,
      ...(tokens.cacheWrite > 0 && { [GEN_AI.cacheWriteTokens]: tokens.cacheWrite }),
      ...(tokens.reasoning > 0 && { [GEN_AI.reasoningTokens]: tokens.reasoning }),
    }),
    ...(error !== null && { [GENERAL.errorType]: error }),
    ...(connection.protocol && { [GENERAL.protocolVersion]: connection.protocol === 'h2' ? '2' : '1.1' }),
    'ask.connection.reused': connection.reused,
    'ask.attempts': connection.attempts,
  };
}

/** Seconds from the start of the call to the first piece of the answer; 0 when there was none. */
export const timeToFirstChunk = ({ firstTokenAt, startedAt }: CallRecord): number =>
  firstTokenAt === null ? 0 : (firstTokenAt - startedAt) / 1000;

/**
 * The contents of prompt and answer, as JSON. Only for spans, and only when
 * OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT is on.
 */
export function contentAttributes({ prompt, completion }: CallRecord): Attributes {
  // A prompt of the caller's may begin with something else.
  const [first] = prompt;
  const system = first?.[0] === 'system' ? first : undefined;
  const messages = system ? prompt.slice(1) : prompt;
  return {
    ...(system && { [GEN_AI.systemInstructions]: JSON.stringify([text(system[1])]) }),
    [GEN_AI.inputMessages]: JSON.stringify(
      messages.map(([role, content]) => ({ role: ROLES[role], parts: [text(content)] })),
    ),
    ...(completion && {
      [GEN_AI.outputMessages]: JSON.stringify([
        { role: ROLES.ai, parts: [text(completion.text)], finish_reason: completion.finishReason },
      ]),
    }),
  };
}

const text = (content: string) => ({ type: 'text', content });

const ROLES: Record<Message[0], string> = { system: 'system', human: 'user', ai: 'assistant' };

const portOf = ({ port, protocol }: URL): number => Number(port) || (protocol === 'https:' ? 443 : 80);
