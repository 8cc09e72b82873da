/**
 * POST /mcp: the Model Context Protocol over streamable HTTP, by the official SDK. It keeps no state between requests, so
 * any instance answers any request. modelcontextprotocol.io/specification/2026-07-28/basic/transports/streamable-http
 */
import { randomUUID } from 'node:crypto';
import type { HttpResponseInit } from '@azure/functions';
import { localhostAllowedOrigins, validateOriginHeader } from '@modelcontextprotocol/server';
import { errors, toAskError } from '../contract/errors.ts';
import { maxBodyBytes } from '../http/ask-request.ts';
import { startDeadline } from '../http/asked-question.ts';
import { CLIENT_CLOSED_REQUEST } from '../http/response.ts';
import { CallerDisconnectedError, type RawRequest } from '../http/raw-request.ts';
import { readJson } from '../http/request-body.ts';
import { readUserId } from '../http/signed-in-user.ts';
import { atLevel, consoleLog, type Invocation, logError } from '../common/log.ts';
import { CLIENT_ID_HEADER, ExchangesByClient } from './cancellation.ts';
import { dispatch, errorResponse, isMethod, toResponseInit } from './dispatch.ts';
import type { McpServices } from './exchange.ts';
import { createServer } from './server.ts';

/** Answers HTTP requests of the protocol. Never rejects: an error becomes a JSON-RPC error. */
export type McpEndpoint = (request: RawRequest, invocation: Invocation) => Promise<HttpResponseInit>;

/** Creates the endpoint of this process. */
export function createMcpEndpoint(services: McpServices): McpEndpoint {
  const { config, requests, stopSignal } = services;
  const exchanges = new ExchangesByClient();

  return async (request, invocation) => {
    const log = atLevel(config.logLevel, consoleLog(invocation.id));
    const { caller } = request;
    let message: unknown;
    const deadline = startDeadline(config.requestTimeoutMs, () => message !== undefined);
    const signal = AbortSignal.any([deadline.signal, stopSignal]);
    // A stream goes on after its response was returned.
    let ended = Promise.resolve();
    try {
      checkOrigin(request, config.mcpAllowedHosts);
      message = await readJson(request, maxBodyBytes(config.maxQuestionChars), signal);
      const userId = readUserId(request, config.trustsUserHeaders);
      const clientId = request.header(CLIENT_ID_HEADER);
      if (clientId !== null) exchanges.cancel(clientId, message);
      const response = await dispatch(request, message, caller.disconnected, (protocolVersion) => {
        const server = createServer({ services, invocation, log, caller, userId, signal }, protocolVersion);
        ended = requests.add(server.closed);
        if (clientId !== null) exchanges.add(clientId, server);
        return server;
      });
      const headers = isMethod(message, 'initialize') ? { [CLIENT_ID_HEADER]: randomUUID() } : {};
      return await toResponseInit(response, { ...headers, 'X-Request-Id': invocation.id });
    } catch (thrown) {
      if (thrown instanceof CallerDisconnectedError) return CLIENT_CLOSED_REQUEST;
      const error = toAskError(thrown);
      logError(error, log);
      return errorResponse(error, invocation);
    } finally {
      void ended.then(deadline.clear);
    }
  };
}

/** @throws AskError when a web page of a foreign origin sent the request (DNS rebinding). */
function checkOrigin(request: RawRequest, allowedHosts: string[]): void {
  const allowed = [...localhostAllowedOrigins(), ...allowedHosts];
  if (!validateOriginHeader(request.header('origin'), allowed).ok) throw errors.originNotAllowed();
}
