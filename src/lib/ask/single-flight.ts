/** Single flight: identical work in flight is done once, and all callers share its result. */
import type { AnswerReader, CallContext } from '../model/completion.ts';
import { untilAborted } from '../common/pending-work.ts';

interface Flight<T> {
  result: Promise<T>;
  /** Number of callers that wait for the result. */
  waiting: number;
  /** Aborts the work when no caller waits any more. */
  controller: AbortController;
  /** The text so far, if the work streams it. */
  text: string;
  /** When the work ends its wait for a rate limit, by `performance.now()`. */
  waitsUntil: number;
  readers: Set<AnswerReader>;
}

/** What work in flight has to use: a signal that aborts when nobody waits any more, and who reads the answer. */
export type FlightContext = Pick<CallContext, 'signal'> & AnswerReader;

/** Work that several callers may share. */
export type FlightWork<T> = (flight: FlightContext) => Promise<T>;

/** The work in flight, by key. */
export class SingleFlight<T> {
  readonly #inFlight = new Map<string, Flight<T>>();

  /** True when work for `key` is in flight. */
  has(key: string): boolean {
    return this.#inFlight.has(key);
  }

  /**
   * Gives the result of the work in flight for `key`, or starts `work` when there is none. A caller stops waiting when its
   * signal aborts; the work itself is aborted when no caller waits any more. `onText` is called with the streamed text,
   * beginning with the text before the caller joined. The work is streamed when its first caller wants the text.
   * @throws the error of the work, to all callers; or the reason of its signal, to this caller.
   */
  async join(key: string, work: FlightWork<T>, { signal, ...reader }: FlightContext): Promise<T> {
    signal.throwIfAborted();
    const flight = this.#inFlight.get(key) ?? this.#start(key, work, reader.onText !== undefined);
    flight.waiting++;
    if (flight.text !== '') reader.onText?.(flight.text);
    tellWait(reader, flight.waitsUntil);
    flight.readers.add(reader);
    try {
      return await untilAborted(flight.result, signal);
    } finally {
      flight.readers.delete(reader);
      // Finished work is no longer in the map and needs no abort.
      if (--flight.waiting === 0 && this.#inFlight.get(key) === flight)
        this.#abandon(key, flight, signal.reason);
    }
  }

  #start(key: string, work: FlightWork<T>, streamed: boolean): Flight<T> {
    const controller = new AbortController();
    const { promise: result, resolve, reject } = Promise.withResolvers<T>();
    const flight: Flight<T> = { result, waiting: 0, controller, text: '', waitsUntil: 0, readers: new Set() };
    this.#inFlight.set(key, flight);
    const onText = (text: string): void => {
      flight.text += text;
      for (const reader of flight.readers) reader.onText?.(text);
    };
    const onWait = (ms: number): void => {
      flight.waitsUntil = performance.now() + ms;
      for (const reader of flight.readers) reader.onWait?.(ms);
    };
    work({ signal: controller.signal, onText: streamed ? onText : undefined, onWait }).then(resolve, reject);
    const end = (): void => this.#forget(key, flight);
    // Also handles the rejection when no caller waits any more.
    flight.result.then(end, end);
    return flight;
  }

  /** Aborts the work. Later callers start a new flight. */
  #abandon(key: string, flight: Flight<T>, reason: unknown): void {
    this.#forget(key, flight);
    flight.controller.abort(reason);
  }

  #forget(key: string, flight: Flight<T>): void {
    if (this.#inFlight.get(key) === flight) this.#inFlight.delete(key);
  }
}

/** Tells a new reader of a wait that has begun before. */
export function tellWait({ onWait }: AnswerReader, until: number): void {
  const ms = until - performance.now();
  if (ms > 0) onWait?.(ms);
}
