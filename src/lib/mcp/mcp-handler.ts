/**
 * POST /mcp: the Model Context Protocol over streamable HTTP, by the official SDK. It keeps no state between requests, so
 * any instance answers any request. modelcontextprotocol.io/specification/2026-07-28/basic/transports/streamable-http
 * Rejected: the MCP extension of Azure Functions, which needs an extension bundle and a queue role and loads in every cold
 * start; version 1 of the SDK, which brings Express; a protocol implementation of our own, for six revisions.
 */
import { randomUUID } from 'node:crypto';
import { toAskError } from '../contract/errors.ts';
import { maxBodyBytes, readJson } from '../http/ask-request.ts';
import { startDeadline } from '../http/asked-question.ts';
import { CLIENT_CLOSED_REQUEST, type Reply } from '../http/response.ts';
import { CallerDisconnectedError, type RawRequest } from '../http/raw-request.ts';
import { readUserId } from '../http/user.ts';
import { atLevel, consoleLog, type Invocation, logError } from '../common/log.ts';
import { CLIENT_ID_HEADER, ExchangesByClient } from './cancellation.ts';
import { dispatch, errorResponse, isMethod, toReply } from './dispatch.ts';
import type { McpServices } from './exchange.ts';
import { corsHeaders, preflightResponse } from './origin.ts';
import { createServer } from './server.ts';

/** Answers HTTP requests of the protocol. Never rejects: an error becomes a JSON-RPC error. */
export type McpEndpoint = (request: RawRequest, invocation: Invocation) => Promise<Reply>;

/** Creates the endpoint of this process. */
export function createMcpEndpoint(services: McpServices): McpEndpoint {
  const { mcpAllowedHosts, logLevel, hostName } = services.config;
  const answer = createAnswer(services);
  return async (request, invocation) => {
    const log = atLevel(logLevel, consoleLog(invocation.id));
    let cors: Record<string, string> = {};
    const respond = async (): Promise<Reply> => {
      try {
        cors = corsHeaders(request, mcpAllowedHosts);
        if (request.method === 'OPTIONS') return preflightResponse(request);
        return await answer(request, { ...invocation, log });
      } catch (thrown) {
        if (thrown instanceof CallerDisconnectedError) return CLIENT_CLOSED_REQUEST;
        const error = toAskError(thrown);
        logError(error, log);
        return errorResponse(error, invocation, hostName);
      }
    };
    const response = await respond();
    return { ...response, headers: { ...response.headers, ...cors } };
  };
}

/** Creates the function that answers a request with a message. {@link errorResponse} makes a response of what it throws. */
function createAnswer(services: McpServices): McpEndpoint {
  const { config, requests, stopSignal } = services;
  const exchanges = new ExchangesByClient();

  return async (request, invocation) => {
    const { caller } = request;
    const userId = readUserId(request, config.users);
    let message: unknown;
    const { signal, clear } = startDeadline(config.requestTimeoutMs, stopSignal, () => message !== undefined);
    // A stream goes on after its response was returned.
    let ended = Promise.resolve();
    try {
      const expected = { content: 'message', maxBytes: maxBodyBytes(config.maxQuestionChars) } as const;
      message = await readJson(request, expected, signal);
      const clientId = request.header(CLIENT_ID_HEADER);
      if (clientId !== null) exchanges.cancel(clientId, message);
      const response = await dispatch(request, message, caller.disconnected, (protocolVersion) => {
        const cancelsByLeaving = (protocolVersion ?? '') >= '2026-07-28';
        const exchange = { services, invocation, caller, cancelsByLeaving, userId, signal };
        const server = createServer(exchange, protocolVersion);
        ended = requests.add(server.closed);
        if (clientId !== null) exchanges.add(clientId, server);
        return server;
      });
      const headers = isMethod(message, 'initialize') ? { [CLIENT_ID_HEADER]: randomUUID() } : {};
      return await toReply(response, { ...headers, 'X-Request-Id': invocation.id });
    } finally {
      void ended.then(clear);
    }
  };
}
