/** Identical work under way is done once, for all who want it. */
import { untilAborted } from '../runtime/until-aborted.ts';

interface Flight<T> {
  result: Promise<T>;
  /** Those who still wait for it. */
  waiting: number;
  /** Ends the work when nobody waits any more. */
  abandoned: AbortController;
  /** The text that came so far, if it comes piece by piece. */
  text: string;
  listeners: Set<(text: string) => void>;
}

/** Work that may hand on its text as it comes; the signal ends it. */
export type FlightWork<T> = (signal: AbortSignal, onToken: (text: string) => void) => Promise<T>;

/** The flights of a process, by key. */
export class SingleFlight<T> {
  readonly #flights = new Map<string, Flight<T>>();

  /** True when work for `key` is under way. */
  has(key: string): boolean {
    return this.#flights.has(key);
  }

  /**
   * Gives the result of the work under way for `key`, which is started if there is none. Each caller waits until its
   * own `leave` aborts, and then gets its reason; the work goes on as long as one of them waits. `onToken` is given the
   * text that the work hands on, from the first piece.
   * @throws what the work throws, the same to all.
   */
  async join(
    key: string,
    work: FlightWork<T>,
    leave: AbortSignal,
    onToken: (text: string) => void = () => {},
  ): Promise<T> {
    leave.throwIfAborted();
    const flight = this.#flights.get(key) ?? this.#start(key, work);
    flight.waiting++;
    if (flight.text !== '') onToken(flight.text);
    flight.listeners.add(onToken);
    try {
      return await untilAborted(flight.result, leave);
    } finally {
      flight.listeners.delete(onToken);
      // One that has landed needs no end, and aborting for nothing takes its time too.
      if (--flight.waiting === 0 && this.#flights.get(key) === flight)
        this.#abandon(key, flight, leave.reason);
    }
  }

  #start(key: string, work: FlightWork<T>): Flight<T> {
    const abandoned = new AbortController();
    const { promise: result, resolve, reject } = Promise.withResolvers<T>();
    const flight: Flight<T> = { result, waiting: 0, abandoned, text: '', listeners: new Set() };
    this.#flights.set(key, flight);
    const onToken = (text: string): void => {
      flight.text += text;
      for (const listener of flight.listeners) listener(text);
    };
    work(abandoned.signal, onToken).then(resolve, reject);
    // Rejected even when all who waited have left.
    const end = (): void => this.#forget(key, flight);
    flight.result.then(end, end);
    return flight;
  }

  /** Later callers start a new flight. */
  #abandon(key: string, flight: Flight<T>, reason: unknown): void {
    this.#forget(key, flight);
    flight.abandoned.abort(reason);
  }

  #forget(key: string, flight: Flight<T>): void {
    if (this.#flights.get(key) === flight) this.#flights.delete(key);
  }
}
