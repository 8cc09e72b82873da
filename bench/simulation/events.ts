/** The core of the simulation: a clock, a queue of events in time order, and activities that wait. */

/** Suspends an activity. It calls `resume` once, at a later event or at once. */
export type Wait = (resume: () => void) => void;

/** A sequence of steps in simulated time. `yield` a {@link Wait} to pause. */
export type Activity<T = void> = Generator<Wait, T, void>;

interface SimulatedEvent {
  at: number;
  /** Events at the same time run in the order in which they were scheduled, so that a run is repeatable. */
  order: number;
  run: () => void;
}

const isBefore = (a: SimulatedEvent, b: SimulatedEvent): boolean =>
  a.at < b.at || (a.at === b.at && a.order < b.order);

/** A clock in milliseconds and its events, in a binary heap. */
export class Clock {
  #now = 0;
  #order = 0;
  readonly #heap: SimulatedEvent[] = [];

  /** The simulated time in milliseconds. */
  get now(): number {
    return this.#now;
  }

  /** Schedules `run` in `ms` milliseconds. @throws RangeError when `ms` is negative or not a number. */
  after(ms: number, run: () => void): void {
    if (!(ms >= 0)) throw new RangeError(`an event in ${ms} ms`);
    this.#push({ at: this.#now + ms, order: this.#order++, run });
  }

  /** A wait of `ms` milliseconds. */
  wait(ms: number): Wait {
    return (resume) => this.after(ms, resume);
  }

  /** Runs all events up to the time `untilMs`. */
  run(untilMs: number): void {
    for (let next = this.#heap[0]; next && next.at <= untilMs; next = this.#heap[0]) {
      this.#removeFirst();
      this.#now = next.at;
      next.run();
    }
    this.#now = untilMs;
  }

  #push(event: SimulatedEvent): void {
    const heap = this.#heap;
    let index = heap.length;
    while (index > 0) {
      const parentIndex = (index - 1) >> 1;
      const parent = heap[parentIndex];
      if (!parent || !isBefore(event, parent)) break;
      heap[index] = parent;
      index = parentIndex;
    }
    heap[index] = event;
  }

  #removeFirst(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (!last || heap.length === 0) return;
    let index = 0;
    for (;;) {
      let childIndex = 2 * index + 1;
      let child = heap[childIndex];
      const right = heap[childIndex + 1];
      if (child && right && isBefore(right, child)) {
        child = right;
        childIndex++;
      }
      if (!child || !isBefore(child, last)) break;
      heap[index] = child;
      index = childIndex;
    }
    heap[index] = last;
  }
}

/** Starts an activity. It runs to its first wait before this returns. */
export function start(activity: Activity<unknown>): void {
  const resume = (): void => {
    const step = activity.next();
    if (step.done !== true) step.value(resume);
  };
  resume();
}

/** A first-in, first-out queue that stays fast when it is long. */
export class Fifo<T> {
  #items: T[] = [];
  #head = 0;

  get length(): number {
    return this.#items.length - this.#head;
  }

  push(item: T): void {
    this.#items.push(item);
  }

  shift(): T | undefined {
    if (this.length === 0) return undefined;
    const item = this.#items[this.#head++];
    if (this.#head > 1000 && this.#head * 2 > this.#items.length) {
      this.#items = this.#items.slice(this.#head);
      this.#head = 0;
    }
    return item;
  }
}
