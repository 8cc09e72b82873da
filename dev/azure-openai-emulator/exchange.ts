/** How a request is answered on the wire, and what a fault does to it there. */
import { randomUUID } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import { constants, type ServerHttp2Stream } from 'node:http2';
import { type Fault, type Prompt, type Reply, replyTo } from './replies.ts';

/** Of either protocol; the stream is HTTP/2's. */
export type Response = ServerResponse & { stream?: ServerHttp2Stream };

/** A chat request being answered. */
export interface Exchange {
  response: Response;
  record: { status: number | null; aborted: boolean };
  fault: Fault | undefined;
  /** Ended by the emulator without an answer, so its end is not the client's doing. */
  cut: boolean;
}

/** Answers, or does what the fault says. */
export function carryOut(exchange: Exchange, prompt: Prompt): void {
  const { fault } = exchange;
  switch (fault?.kind) {
    case 'hang':
      return;
    case 'stall':
      return sendHalf(exchange, replyTo(prompt));
    case 'reset':
      return cut(exchange, constants.NGHTTP2_INTERNAL_ERROR);
    case 'refuse':
      return cut(exchange, constants.NGHTTP2_REFUSED_STREAM);
    case 'goaway':
      return goAway(exchange);
    default:
      return send(exchange, replyTo(prompt, fault));
  }
}

/** Gives a signal of the exchange's end, and records whether the client caused it. */
export function whenClosed(exchange: Exchange, isServing: () => boolean): AbortSignal {
  const { response, record } = exchange;
  const closed = new AbortController();
  (response.stream ?? response).once('close', () => {
    record.aborted = !isComplete(response) && !exchange.cut && isServing();
    closed.abort();
  });
  return closed.signal;
}

function isComplete({ stream, writableFinished }: Response): boolean {
  // A stream that the client resets also counts as finished.
  return stream ? !stream.aborted && stream.rstCode === constants.NGHTTP2_NO_ERROR : writableFinished;
}

function cut(exchange: Exchange, code: number): void {
  exchange.cut = true;
  const { stream } = exchange.response;
  if (stream) stream.close(code);
  else exchange.response.destroy();
}

/** The last stream that is said to be served is the one before this. */
function goAway(exchange: Exchange): void {
  const { stream } = exchange.response;
  const served = (stream?.id ?? 1) - 2;
  exchange.cut = true;
  stream?.session?.goaway(constants.NGHTTP2_NO_ERROR, served);
  // Node cannot say that none is served.
  if (served < 0) cut(exchange, constants.NGHTTP2_REFUSED_STREAM);
}

/** Answers. */
export function send({ record, response }: Exchange, reply: Reply): void {
  record.status = reply.status;
  write(response, reply);
}

function sendHalf({ record, response }: Exchange, { status, headers, parts }: Reply): void {
  record.status = status;
  response.writeHead(status, headers);
  const text = parts.join('');
  response.write(text.slice(0, text.length / 2));
}

/** Writes a reply with the headers that all of Azure OpenAI's have. */
export function write(response: Response, { status, headers, parts }: Reply): void {
  const ids = { 'x-request-id': randomUUID(), 'apim-request-id': randomUUID(), 'x-ms-region': 'emulator' };
  response.writeHead(status, { ...headers, ...ids });
  for (const part of parts) response.write(part);
  response.end();
}
