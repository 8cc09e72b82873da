/** How a request is answered on the wire, and what a fault does to it there. */
import { randomUUID } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { constants, type ServerHttp2Stream } from 'node:http2';
import type { Reply } from './refusals.ts';
import { type Fault, type Prompt, replyTo } from './replies.ts';

/** Of either protocol; the stream is HTTP/2's. */
export type Response = ServerResponse & { stream?: ServerHttp2Stream };

/** A chat request being answered. */
export interface Exchange {
  response: Response;
  record: { status: number | null; aborted: boolean };
  fault: Fault | undefined;
  /** Between the events of a stream. */
  tokenDelayMs: number;
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
      return void sendHalf(exchange, replyTo(prompt));
    case 'break':
      return void sendHalf(exchange, replyTo(prompt)).then(() =>
        cut(exchange, constants.NGHTTP2_INTERNAL_ERROR),
      );
    case 'reset':
      return cut(exchange, constants.NGHTTP2_INTERNAL_ERROR);
    case 'refuse':
      return cut(exchange, constants.NGHTTP2_REFUSED_STREAM);
    case 'goaway':
      return goAway(exchange);
    case 'lose_connection':
      return loseConnection(exchange);
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

function loseConnection(exchange: Exchange): void {
  const { response } = exchange;
  exchange.cut = true;
  // As when a load balancer goes away: nothing is said before the connection ends.
  if (response.stream) response.stream.session?.destroy();
  else response.destroy();
}

/** Answers; the events of a stream come one by one, `tokenDelayMs` apart. */
export function send(exchange: Exchange, reply: Reply): void {
  exchange.record.status = reply.status;
  void write(exchange.response, reply, exchange.tokenDelayMs);
}

async function sendHalf(exchange: Exchange, { status, headers, parts }: Reply): Promise<void> {
  const { response, record } = exchange;
  record.status = status;
  const { 'content-length': _, ...rest } = headers;
  response.writeHead(status, rest);
  const text = parts.join('');
  response.write(text.slice(0, text.length / 2));
  // On its way before what comes next.
  await delay(50);
}

/** Writes a reply with the headers that all of Azure OpenAI's have. */
export async function write(
  response: Response,
  { status, headers, parts }: Reply,
  delayMs = 0,
): Promise<void> {
  const ids = { 'x-request-id': randomUUID(), 'apim-request-id': randomUUID(), 'x-ms-region': 'emulator' };
  response.writeHead(status, { ...headers, ...ids });
  for (const part of parts) {
    if (delayMs > 0 && parts.length > 1) {
      await delay(delayMs);
      if (response.destroyed) return;
      // Split anywhere, also within a character: frames know nothing of characters.
      const bytes = Buffer.from(part);
      response.write(bytes.subarray(0, bytes.length / 2));
      response.write(bytes.subarray(bytes.length / 2));
    } else {
      response.write(part);
    }
  }
  response.end();
}
