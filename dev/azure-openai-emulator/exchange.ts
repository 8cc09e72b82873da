/** Sends replies, and applies connection faults, at the level of HTTP streams and sockets. */
import { randomUUID } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { constants, type ServerHttp2Stream } from 'node:http2';
import type { Reply } from './refusals.ts';
import type { Fault } from './faults.ts';
import type { Prompt } from './prompt.ts';
import { type Model, replyTo } from './replies.ts';

/** A response over either protocol. Only HTTP/2 responses have `stream`. */
export type Response = ServerResponse & { stream?: ServerHttp2Stream };

/** A chat request in progress. */
export interface Exchange extends Model {
  response: Response;
  record: { status: number | null; aborted: boolean };
  fault: Fault | undefined;
  /** Milliseconds between the events of a stream. */
  tokenDelayMs: number;
  /** Set for a reasoning model. */
  reasoning: Reasoning | undefined;
  /** The emulator itself ended the exchange, so that its end is not recorded as the client's abort. */
  endedByEmulator: boolean;
}

/** Sends the reply to `prompt`, or applies the fault of the exchange. */
export function respond(exchange: Exchange, prompt: Prompt): void {
  const { fault } = exchange;
  switch (fault?.kind) {
    case 'hang':
      return;
    case 'stall':
      return void sendHalf(exchange, replyTo(prompt, exchange));
    case 'break':
      return void sendHalf(exchange, replyTo(prompt, exchange)).then(() =>
        endStream(exchange, constants.NGHTTP2_INTERNAL_ERROR),
      );
    case 'reset':
      return endStream(exchange, constants.NGHTTP2_INTERNAL_ERROR);
    case 'refuse':
      return endStream(exchange, constants.NGHTTP2_REFUSED_STREAM);
    case 'goaway':
      return goAway(exchange, fault.keepsOpen);
    case 'lose_connection':
      return loseConnection(exchange);
    default:
      return send(exchange, replyTo(prompt, exchange, fault));
  }
}

/** Returns a signal that aborts when the exchange ends, and records whether the client ended it. */
export function whenClosed(exchange: Exchange, isServing: () => boolean): AbortSignal {
  const { response, record } = exchange;
  const closed = new AbortController();
  (response.stream ?? response).once('close', () => {
    record.aborted = !isComplete(response) && !exchange.endedByEmulator && isServing();
    closed.abort();
  });
  return closed.signal;
}

function isComplete({ stream, writableFinished }: Response): boolean {
  // `writableFinished` is true also for a stream that the client reset.
  return stream ? !stream.aborted && stream.rstCode === constants.NGHTTP2_NO_ERROR : writableFinished;
}

function endStream(exchange: Exchange, code: number): void {
  exchange.endedByEmulator = true;
  const { stream } = exchange.response;
  if (stream) stream.close(code);
  else exchange.response.destroy();
}

/** Sends GOAWAY with the previous stream as the last one that is processed. */
function goAway(exchange: Exchange, keepsOpen = false): void {
  const { stream } = exchange.response;
  const lastProcessed = (stream?.id ?? 1) - 2;
  exchange.endedByEmulator = true;
  const session = stream?.session;
  session?.goaway(constants.NGHTTP2_NO_ERROR, lastProcessed);
  if (!keepsOpen) session?.close();
  // Node cannot send a GOAWAY that excludes the first stream.
  if (lastProcessed < 0) endStream(exchange, constants.NGHTTP2_REFUSED_STREAM);
}

function loseConnection(exchange: Exchange): void {
  const { response } = exchange;
  exchange.endedByEmulator = true;
  // Like a load balancer that disappears: the connection ends without a GOAWAY.
  if (response.stream) response.stream.session?.destroy();
  else response.destroy();
}

/** A reasoning model: it thinks before each answer. */
export interface Reasoning {
  thinkMs: number;
  /** Billed as completion tokens. */
  tokens: number;
}

/**
 * A word of an answer that is replaced by the time at which its event is sent, if `tokenDelayMs` is set: `@` and the
 * microseconds of the machine's monotonic clock. Such an event is sent whole, as the service sends it.
 */
export const SENT_AT = '{sent_at}';

/** Sends a reply. The events of a stream are sent `tokenDelayMs` apart. */
export function send(exchange: Exchange, reply: Reply): void {
  exchange.record.status = reply.status;
  void write(exchange.response, reply, exchange);
}

async function sendHalf(exchange: Exchange, { status, headers, parts }: Reply): Promise<void> {
  const { response, record } = exchange;
  record.status = status;
  const { 'content-length': _, ...rest } = headers;
  response.writeHead(status, rest);
  const text = parts.join('');
  response.write(text.slice(0, text.length / 2));
  // Lets the first half reach the client before the caller resets the stream.
  await delay(50);
}

/** Writes a reply with the headers that every response of Azure OpenAI has: github.com/EvolvingPrograms/oaib/issues/11. */
export async function write(
  response: Response,
  { status, headers, parts }: Reply,
  { tokenDelayMs: delayMs = 0, reasoning }: Partial<Exchange> = {},
): Promise<void> {
  const id = randomUUID();
  response.writeHead(status, {
    'x-request-id': randomUUID(),
    'apim-request-id': id,
    'x-ms-client-request-id': id,
    'x-ms-region': 'emulator',
    'x-content-type-options': 'nosniff',
    'strict-transport-security': 'max-age=31536000; includeSubDomains; preload',
    ...headers,
  });
  for (const [index, part] of parts.entries()) {
    // A stream begins at once, and is silent while the model thinks.
    if (reasoning && parts.length > 1 && index === 2) await delay(reasoning.thinkMs);
    if (delayMs > 0 && parts.length > 1) {
      await delay(delayMs);
      if (response.destroyed) return;
      if (part.includes(SENT_AT)) {
        response.write(part.replaceAll(SENT_AT, `@${process.hrtime.bigint() / 1000n}`));
        continue;
      }
      // Splits the event anywhere, also within a UTF-8 character, as HTTP/2 frames may.
      const bytes = Buffer.from(part);
      response.write(bytes.subarray(0, bytes.length / 2));
      response.write(bytes.subarray(bytes.length / 2));
    } else {
      response.write(part);
    }
  }
  response.end();
}
