/** The callers' HTTP: sends requests, reads responses and streams, and holds each to the OpenAPI document. */
import { setTimeout as delay } from 'node:timers/promises';
import { createParser } from 'eventsource-parser';
import { Agent, type Dispatcher } from 'undici';
import type { Answer, ErrorBody, Session } from '../../src/lib/contract/responses.ts';
import { undocumented, undocumentedEvent } from './contract.ts';
import type { Violations } from './violations.ts';

/** The body of POST /ask. */
export interface Question {
  question: string;
  session_id: string;
  new_conversation?: boolean;
  stream?: boolean;
}

/** How a question is sent and its response read. */
export interface Manner {
  headers?: Record<string, string>;
  /** Disconnects after this time. */
  leaveAfterMs?: number;
  /** Pause after each piece of a stream. */
  slowMs?: number;
}

/** What became of a request. `gone`: there was no complete response. */
export type Outcome<T> =
  | { type: 'done'; value: T }
  | { type: 'error'; code: string }
  | { type: 'gone'; left: boolean };

/** The longest wait for a response. */
const PATIENCE_MS = 20_000;
const JSON_HEADERS = { 'content-type': 'application/json' };

/** A sent request. `path` is that of the document. */
interface Sent {
  path: string;
  url: string;
  method: 'GET' | 'POST' | 'DELETE';
  body?: object;
}

/** Sends requests to the app. */
export class Caller {
  /**
   * Requests that are sent from this time on may get no response, because the app is down on purpose. In milliseconds of
   * `performance.now()`.
   */
  downFrom = Infinity;
  readonly #origin: () => string;
  readonly #violations: Violations;
  readonly #agent = new Agent({ connections: 256 });

  /** `origin` gives the address of the app. */
  constructor(origin: () => string, violations: Violations) {
    this.#origin = origin;
    this.#violations = violations;
  }

  /** Asks a question. */
  ask(body: Question, manner: Manner = {}): Promise<Outcome<Answer>> {
    return this.#send({ path: '/ask', url: '/ask', method: 'POST', body }, manner);
  }

  /** Reads a session. A session without interactions is the error `session_not_found`. */
  readSession(id: string): Promise<Outcome<Session>> {
    return this.#send({ path: '/sessions/{session_id}', url: `/sessions/${id}`, method: 'GET' });
  }

  deleteSession(id: string): Promise<Outcome<undefined>> {
    return this.#send({ path: '/sessions/{session_id}', url: `/sessions/${id}`, method: 'DELETE' });
  }

  /** Sends a request without a body. */
  request(method: 'GET' | 'DELETE', url: string): Promise<Outcome<unknown>> {
    return this.#send({ path: url, url, method });
  }

  async close(): Promise<void> {
    await this.#agent.destroy();
  }

  async #send<T>(sent: Sent, { headers = {}, leaveAfterMs, slowMs = 0 }: Manner = {}): Promise<Outcome<T>> {
    const { path, url, method, body } = sent;
    const sentAt = performance.now();
    const patience = AbortSignal.timeout(PATIENCE_MS);
    const leaving = leaveAfterMs === undefined ? patience : AbortSignal.timeout(Math.round(leaveAfterMs));
    try {
      const response = await this.#agent.request({
        origin: this.#origin(),
        path: url,
        method,
        headers: { ...(body && JSON_HEADERS), ...headers },
        body: body ? JSON.stringify(body) : null,
        signal: AbortSignal.any([patience, leaving]),
        // The patience above is the only limit.
        headersTimeout: 0,
        bodyTimeout: 0,
      });
      const type = String(response.headers['content-type'] ?? '').split(';')[0] ?? '';
      if (type === 'text/event-stream') return await this.#readStream<T>(sent, response, slowMs);
      const text = await response.body.text();
      const { statusCode: status } = response;
      const read = text === '' ? undefined : parse(text);
      const wrong = undocumented(path, method, { status, type, body: read });
      if (wrong !== null)
        this.#violations.add('undocumented', `${method} ${path}: ${wrong} ${text.slice(0, 200)}`);
      if (status < 400) return { type: 'done', value: read as T };
      return { type: 'error', code: codeOf(read as ErrorBody | undefined, status) };
    } catch (error) {
      const left = leaving !== patience && leaving.aborted;
      if (!left && sentAt < this.downFrom)
        this.#violations.add('undocumented', `${method} ${path}: no response, ${String(error)}`);
      return { type: 'gone', left };
    }
  }

  /** @throws Error when the stream breaks, or has no last event. */
  async #readStream<T>(sent: Sent, { body }: Dispatcher.ResponseData, slowMs: number): Promise<Outcome<T>> {
    let text = '';
    let outcome: Outcome<T> | undefined;
    const say = (what: string): void =>
      this.#violations.add('undocumented', `stream of ${sent.path}: ${what}`);
    const parser = createParser({
      onEvent: ({ event = 'message', data }) => {
        const value = parse(data);
        const wrong = undocumentedEvent(event, value);
        if (wrong !== null) say(wrong);
        if (outcome) say(`the event "${event}" after the last one`);
        if (event === 'token') text += (value as { text: string }).text;
        if (event === 'done') outcome = { type: 'done', value: value as T };
        if (event === 'error') outcome = { type: 'error', code: codeOf(value as ErrorBody, 200) };
      },
    });
    const decoder = new TextDecoder();
    for await (const chunk of body) {
      parser.feed(decoder.decode(chunk as Uint8Array, { stream: true }));
      if (slowMs > 0) await delay(slowMs);
    }
    if (!outcome) throw new Error('the stream ended without "done" or "error"');
    const { answer } = outcome.type === 'done' ? (outcome.value as Answer) : { answer: text };
    if (answer !== text)
      this.#violations.add('wrong', `a stream of "${text}" ended with the answer "${answer}"`);
    return outcome;
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

const codeOf = (body: ErrorBody | undefined, status: number): string =>
  body?.error?.code ?? `status ${status}`;
