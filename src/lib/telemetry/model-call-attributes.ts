/** The attributes of a model call, for spans and metrics. */
import type { Attributes } from '@opentelemetry/api';
import type { Config, EndpointConfig } from '../config/config.ts';
import { CHAT, GEN_AI, GENERAL, PROVIDER } from './gen-ai-conventions.ts';
import { parametersOf } from '../model/parameters.ts';
import type { Message } from '../model/completion.ts';
import type { CallRecord } from '../metrics/question-record.ts';

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
  const [system, ...messages] = prompt;
  return {
    [GEN_AI.systemInstructions]: JSON.stringify([text(system?.[1] ?? '')]),
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
