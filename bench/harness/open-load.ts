/** Load on `POST /ask`: open (a fixed rate of arrivals, whatever the answers do) or closed (a fixed number of callers). */
import { setTimeout as delay } from 'node:timers/promises';
import { Pool } from 'undici';
import type { Body } from './load.ts';

const TICK_MS = 5;

/** What became of one question. Times by `performance.now()`. */
export interface Reply {
  sentAt: number;
  endedAt: number;
  /** 0 when the connection failed. */
  status: number;
  /** Code of the error in the body; the system's code when the connection failed; null for an answer. */
  code: string | null;
  hasRetryAfter: boolean;
  /** The answer is stored: `history_saved` is true. */
  isStored: boolean;
}

/** A rate of arrivals for a limited time. */
export interface Offer {
  /** Questions a second. */
  rate: number;
  durationMs: number;
  body: Body;
  /** Ends the arrivals early. */
  signal: AbortSignal;
}

/** The arrivals of one {@link Offer}. */
export interface Arrivals {
  /** Grows until all questions have ended. */
  replies: Reply[];
  sent: number;
  /** Arrivals that were not sent, because as many questions were open as the app may get at a time. */
  unsent: number;
  /** The longest time by which this process was late with an arrival, in milliseconds. */
  lateMs: number;
}

/** Sends questions to one app. */
export class LoadGenerator {
  readonly #pool: Pool;
  readonly #maxOpen: number;
  #open = 0;

  /** `maxOpen`: the most questions that the app gets at a time. */
  constructor(url: string, maxOpen: number) {
    this.#maxOpen = maxOpen;
    this.#pool = new Pool(url, { connections: maxOpen, pipelining: 1, headersTimeout: 120_000 });
  }

  /** Sends questions at a fixed rate. Resolves when the time is over; questions may still be open then. */
  async offer({ rate, durationMs, body, signal }: Offer): Promise<Arrivals> {
    const arrivals: Arrivals = { replies: [], sent: 0, unsent: 0, lateMs: 0 };
    const startedAt = performance.now();
    for (let due = 0; !signal.aborted;) {
      const elapsedMs = Math.min(performance.now() - startedAt, durationMs);
      const until = Math.floor((elapsedMs * rate) / 1000);
      if (due < until) arrivals.lateMs = Math.max(arrivals.lateMs, elapsedMs - (due * 1000) / rate);
      for (; due < until; due++) {
        if (this.#open >= this.#maxOpen) {
          arrivals.unsent++;
          continue;
        }
        arrivals.sent++;
        void this.ask(body(due)).then((reply) => arrivals.replies.push(reply));
      }
      if (elapsedMs >= durationMs) break;
      await delay(TICK_MS);
    }
    return arrivals;
  }

  /** `callers` callers ask for `durationMs` milliseconds, each its next question after the last reply. */
  async occupy(callers: number, { durationMs, body, signal }: Omit<Offer, 'rate'>): Promise<Reply[]> {
    const replies: Reply[] = [];
    const end = performance.now() + durationMs;
    let next = 0;
    const call = async (): Promise<void> => {
      while (performance.now() < end && !signal.aborted) replies.push(await this.ask(body(next++)));
    };
    await Promise.all(Array.from({ length: callers }, call));
    return replies;
  }

  /** Asks one question and reads the whole reply. Never rejects. */
  async ask(body: object): Promise<Reply> {
    const sentAt = performance.now();
    const reply = (fields: Partial<Reply>): Reply => ({
      sentAt,
      endedAt: performance.now(),
      status: 0,
      code: null,
      hasRetryAfter: false,
      isStored: false,
      ...fields,
    });
    this.#open++;
    try {
      const {
        statusCode,
        headers,
        body: sent,
      } = await this.#pool.request({
        path: '/ask',
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
      });
      const text = await sent.text();
      return reply({
        status: statusCode,
        code: statusCode === 200 ? null : (/"code":\s*"(\w+)"/.exec(text)?.[1] ?? 'none'),
        hasRetryAfter: headers['retry-after'] !== undefined,
        isStored: /"history_saved":\s*true/.test(text),
      });
    } catch (error) {
      return reply({ code: (error as NodeJS.ErrnoException).code ?? 'failed' });
    } finally {
      this.#open--;
    }
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
