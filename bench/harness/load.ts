/** Sends questions to an app: a fixed number, or for a fixed time; by a number of callers, or at a fixed rate. */
import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { type Dispatcher, Pool } from 'undici';
import { summarize, type Summary } from '../../dev/perf/statistics.ts';

/** Returns the body of the `index`-th request. */
export type Body = (index: number) => object;

/** An app: behind a functions host, or a worker that has to be told of each invocation. */
export interface Target {
  url: string;
  /** Where questions are sent; `/ask` by default. */
  path?: string;
  headers?: Record<string, string>;
  invoke?: (id: string) => void;
}

/** What became of one question. Times in milliseconds, `sentAt` and `endedAt` by `performance.now()`. */
export interface Reply {
  sentAt: number;
  endedAt: number;
  /** 0 when the connection failed. */
  status: number;
  /** The body; the system's error code when the connection failed. */
  text: string;
  headers: Dispatcher.ResponseData['headers'];
  /** Until the first token of a stream; null when there was none. */
  firstTokenMs: number | null;
  /** How much later than they were sent the tokens arrived that carry this time. */
  delays: number[];
}

/** The results of a load. */
export interface Load {
  /** Duration of the requests, from sending to the last byte, in milliseconds. */
  times: Summary;
  /** Until the first token; null without streams. */
  firstTokens: Summary | null;
  /** See {@link Reply}; null without tokens that carry a time. */
  delays: Summary | null;
}

/** Gets each part of a reply. The next part is read when its promise has resolved. */
type OnChunk = (text: string) => Promise<void> | void;

/** A token of our own events, or in a chunk of a chat completion. */
const FIRST_TEXT = /event: token|"content":"[^"]/;

/** The time in a token: microseconds of the machine's monotonic clock. */
const SENT_AT = /@(\d+)/g;
const TICK_MS = 5;

/**
 * Sends `count` requests over `connections` connections. Each connection sends its next request after the last
 * response.
 * @throws Error when a status is not 200, or when a stream ends without its answer.
 */
export async function load(target: Target, connections: number, count: number, body: Body): Promise<Load> {
  const callers = new Callers(target, connections);
  try {
    let next = 0;
    const replies = await callers.whileTrue(
      () => next < count,
      connections,
      () => body(next++),
    );
    for (const { status, text } of replies)
      if (status !== 200 || !/"answer"|"finish_reason"/.test(text))
        throw new Error(`a response with status ${status}: ${text.slice(0, 500)}`);
    const times = summarize(replies.map(timeOf));
    if (!times) throw new Error('no requests were sent');
    const firstTokens = summarize(replies.map(({ firstTokenMs }) => firstTokenMs));
    return { times, firstTokens, delays: summarize(replies.flatMap(({ delays }) => delays)) };
  } finally {
    await callers.close();
  }
}

/** Duration of a request in milliseconds. */
export const timeOf = ({ sentAt, endedAt }: Reply): number => endedAt - sentAt;

/** Asks one app over at most `maxOpen` connections. */
export class Callers {
  readonly #target: Target;
  readonly #pool: Pool;
  readonly #maxOpen: number;
  #open = 0;

  constructor(target: Target, maxOpen: number) {
    this.#target = target;
    this.#maxOpen = maxOpen;
    this.#pool = new Pool(target.url, {
      connections: maxOpen,
      pipelining: 1,
      headersTimeout: 120_000,
      // Node's server closes idle connections after 5 s, which an overloaded machine would notice too late.
      keepAliveMaxTimeout: 1000,
    });
  }

  /** `count` callers ask while `isWanted` says so, each its next question after the last reply. */
  async whileTrue(isWanted: () => boolean, count: number, body: () => object): Promise<Reply[]> {
    const replies: Reply[] = [];
    const call = async (): Promise<void> => {
      while (isWanted()) replies.push(await this.ask(body()));
    };
    await Promise.all(Array.from({ length: count }, call));
    return replies;
  }

  /**
   * Sends `rate` questions a second, except while as many are open as there may be. Resolves when the time is over; questions
   * may still be open then, and `replies` grows until they have ended.
   */
  async offer(rate: number, durationMs: number, body: Body): Promise<{ replies: Reply[]; sent: number }> {
    const arrivals = { replies: [] as Reply[], sent: 0 };
    const startedAt = performance.now();
    for (let due = 0; ; await delay(TICK_MS)) {
      const elapsedMs = Math.min(performance.now() - startedAt, durationMs);
      for (const until = Math.floor((elapsedMs * rate) / 1000); due < until; due++) {
        if (this.#open >= this.#maxOpen) continue;
        arrivals.sent++;
        void this.ask(body(due)).then((reply) => arrivals.replies.push(reply));
      }
      if (elapsedMs >= durationMs) return arrivals;
    }
  }

  /** Asks one question. */
  ask(question: object, onChunk?: OnChunk): Promise<Reply> {
    const { invoke, path = '/ask', headers: own } = this.#target;
    const id = randomUUID();
    invoke?.(id);
    const headers = { 'content-type': 'application/json', ...own, ...(invoke && hostHeaders(id)) };
    return this.send({ path, method: 'POST', headers, body: JSON.stringify(question) }, onChunk);
  }

  /** Sends a request and reads the whole reply. Never rejects. */
  async send(request: Dispatcher.RequestOptions, onChunk?: OnChunk): Promise<Reply> {
    const reply: Reply = {
      sentAt: performance.now(),
      endedAt: 0,
      status: 0,
      text: '',
      headers: {},
      firstTokenMs: null,
      delays: [],
    };
    this.#open++;
    try {
      await readBody(await this.#pool.request(request), reply, onChunk);
    } catch (error) {
      Object.assign(reply, { status: 0, text: (error as NodeJS.ErrnoException).code ?? String(error) });
    } finally {
      this.#open--;
      reply.endedAt = performance.now();
    }
    return reply;
  }

  /** Waits until no question is open, at most `timeoutMs` milliseconds. Returns the number still open. */
  async settle(timeoutMs: number): Promise<number> {
    for (const end = performance.now() + timeoutMs; this.#open > 0 && performance.now() < end;)
      await delay(20);
    return this.#open;
  }

  /** Closes all connections. */
  close(): Promise<void> {
    return this.#pool.destroy();
  }
}

/** What a host adds. */
const hostHeaders = (id: string): Record<string, string> => ({
  'x-ms-invocation-id': id,
  'x-forwarded-host': 'localhost',
  'x-forwarded-proto': 'http',
});

async function readBody(
  { statusCode, headers, body }: Dispatcher.ResponseData,
  reply: Reply,
  onChunk?: OnChunk,
): Promise<void> {
  reply.status = statusCode;
  reply.headers = headers;
  for await (const chunk of body.setEncoding('utf8')) {
    const text = String(chunk);
    reply.text += text;
    await onChunk?.(text);
    // The last event repeats the whole answer.
    if (text.includes('event: done')) continue;
    if (FIRST_TEXT.test(text)) reply.firstTokenMs ??= performance.now() - reply.sentAt;
    const now = Number(process.hrtime.bigint() / 1000n);
    for (const [, sentAt] of text.matchAll(SENT_AT)) reply.delays.push((now - Number(sentAt)) / 1000);
  }
}
