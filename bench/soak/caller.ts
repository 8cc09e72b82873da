/** The callers' HTTP: sends requests, reads responses and streams, and holds each to the OpenAPI document. */
import { setTimeout as delay } from 'node:timers/promises';
import { createParser } from 'eventsource-parser';
import type { AddressedAnswerBody } from '../../src/lib/contract/answer-events.ts';
import type { Answer, ErrorBody, Session } from '../../src/lib/contract/responses.ts';
import { Callers } from '../harness/load.ts';
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
type Method = 'GET' | 'POST' | 'DELETE';

/** Sends requests to the app. */
export class Caller {
  /**
   * Requests that are sent from this time on may get no response, because the app is down on purpose. In milliseconds of
   * `performance.now()`.
   */
  downFrom = Infinity;
  readonly #callers: Callers;
  readonly #violations: Violations;

  /** `url` is the address of the app, which it keeps when it starts again. */
  constructor(url: string, violations: Violations) {
    this.#callers = new Callers({ url }, 256);
    this.#violations = violations;
  }

  /** Asks a question. */
  ask(body: Question, manner: Manner = {}): Promise<Outcome<Answer>> {
    return this.#send('POST', '/ask', { ...manner, body });
  }

  /** Reads a session. A session without interactions is the error `session_not_found`. */
  readSession(id: string): Promise<Outcome<Session>> {
    return this.#send('GET', `/sessions/${id}`);
  }

  /** Reads the state of the answer to a question with an Idempotency-Key. */
  readAnswer(id: string, key: string): Promise<Outcome<AddressedAnswerBody>> {
    return this.#send('GET', `/sessions/${id}/answers/${encodeURIComponent(key)}`);
  }

  deleteSession(id: string): Promise<Outcome<undefined>> {
    return this.#send('DELETE', `/sessions/${id}`);
  }

  /** Sends a request without a body. */
  request(method: Method, path: string): Promise<Outcome<unknown>> {
    return this.#send(method, path);
  }

  close(): Promise<void> {
    return this.#callers.close();
  }

  async #send<T>(
    method: Method,
    path: string,
    { headers = {}, leaveAfterMs, slowMs = 0, body }: Manner & { body?: Question } = {},
  ): Promise<Outcome<T>> {
    const patience = AbortSignal.timeout(PATIENCE_MS);
    const leaving = leaveAfterMs === undefined ? patience : AbortSignal.timeout(Math.round(leaveAfterMs));
    const request = {
      path,
      method,
      headers: { ...(body && { 'content-type': 'application/json' }), ...headers },
      body: body ? JSON.stringify(body) : null,
      signal: AbortSignal.any([patience, leaving]),
      // The patience above is the only limit.
      bodyTimeout: 0,
    };
    const reply = await this.#callers.send(request, slowMs > 0 ? () => delay(slowMs) : undefined);
    const { status, text, sentAt } = reply;
    const undocumentedBy = (what: string): void =>
      this.#violations.add('undocumented', `${method} ${path}: ${what}`);
    const type = String(reply.headers['content-type'] ?? '').split(';')[0] ?? '';
    const outcome =
      status > 0 && type === 'text/event-stream'
        ? (this.#readStream(text, undocumentedBy) as Outcome<T> | null)
        : null;
    if (outcome) return outcome;
    if (status === 0 || type === 'text/event-stream') {
      const left = leaving !== patience && leaving.aborted;
      if (!left && sentAt < this.downFrom)
        undocumentedBy(status === 0 ? `no response, ${text}` : 'the stream ended without "done" or "error"');
      return { type: 'gone', left };
    }
    const read = text === '' ? undefined : parse(text);
    const template = path
      .replace(/^\/sessions\/[^/]+/, '/sessions/{session_id}')
      .replace(/\/answers\/.+/, '/answers/{key}');
    const wrong = undocumented(template, method, {
      status,
      type,
      body: read,
    });
    if (wrong !== null) undocumentedBy(`${wrong} ${text.slice(0, 200)}`);
    if (status < 400) return { type: 'done', value: read as T };
    return { type: 'error', code: codeOf(read as ErrorBody | undefined, status) };
  }

  /** Gives null for a stream without a last event. */
  #readStream(text: string, say: (what: string) => void): Outcome<Answer> | null {
    let tokens = '';
    let outcome = null as Outcome<Answer> | null;
    const parser = createParser({
      onEvent: ({ event = 'message', data }) => {
        const value = parse(data);
        const wrong = undocumentedEvent(event, value);
        if (wrong !== null) say(wrong);
        if (outcome) say(`the event "${event}" after the last one`);
        if (event === 'token') tokens += (value as { text: string }).text;
        if (event === 'done') outcome = { type: 'done', value: value as Answer };
        if (event === 'error') outcome = { type: 'error', code: codeOf(value as ErrorBody, 200) };
      },
    });
    parser.feed(text);
    const { answer } = outcome?.type === 'done' ? outcome.value : { answer: tokens };
    if (answer !== tokens)
      this.#violations.add('wrong', `a stream of "${tokens}" ended with the answer "${answer}"`);
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
