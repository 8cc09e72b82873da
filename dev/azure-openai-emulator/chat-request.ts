/** The record that the emulator keeps of each chat completion request. */
import type { IncomingMessage } from 'node:http';
import type { Http2ServerRequest } from 'node:http2';
import type { Prompt } from './prompt.ts';
import { recordOf } from './server.ts';

/** A request over either protocol. */
export type Request = IncomingMessage | Http2ServerRequest;

/**
 * A chat completion request. It is recorded on arrival and updated while it is handled; the prompt is empty until the
 * body has arrived.
 */
export interface ChatRequest extends Prompt {
  /** `id` of its connection in `sockets`. */
  socket: number;
  protocol: 'h2' | 'h1';
  deployment: string;
  isV1: boolean;
  /** Empty when the request names none. */
  apiVersion: string;
  /** The status sent; null while (or if) none was sent. */
  status: number | null;
  /** The client closed or reset the request before the answer was complete. */
  aborted: boolean;
}

const MAX_REQUESTS = 10_000;
/** The path of a deployment, or of the v1 API, which takes the deployment from `model` and needs no API version. */
const CHAT_PATH = /^\/openai\/(?:v1|deployments\/([^/]+))\/chat\/completions$/;

/** The Responses API has no path per deployment. */
const RESPONSES_PATH = /^\/openai(?:\/v1)?\/responses$/;

/** Adds a request to `requests`. Returns its record, or null when it asks for no completion. */
export function recordRequest(request: Request, requests: ChatRequest[]): ChatRequest | null {
  const [path = '', query] = (request.url ?? '').split('?', 2);
  const api = RESPONSES_PATH.test(path) ? 'responses' : 'chat';
  const match = CHAT_PATH.exec(path) ?? RESPONSES_PATH.exec(path);
  const socket = recordOf(request.socket);
  if (request.method !== 'POST' || !match || !socket) return null;
  socket.requests++;
  const record: ChatRequest = {
    api,
    isV1: path.startsWith('/openai/v1/'),
    socket: socket.id,
    protocol: socket.protocol,
    deployment: match[1] ?? '',
    apiVersion: new URLSearchParams(query).get('api-version') ?? '',
    messages: [],
    body: {},
    stream: false,
    status: null,
    aborted: false,
  };
  requests.push(record);
  if (requests.length > MAX_REQUESTS) requests.shift();
  return record;
}
