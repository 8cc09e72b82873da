/** CPU time: single-threaded processes that share the cores of a machine. */
import { type Clock, Fifo, type Wait } from './events.ts';

/** The cores of a machine. A process runs one piece of work on one core, to its end. */
export class Machine {
  readonly #clock: Clock;
  /** Milliseconds that a core needs for a millisecond of work. */
  readonly #slowdown: number;
  readonly #waiting = new Fifo<() => void>();
  #free: number;

  constructor(clock: Clock, cores: number, slowdown = 1) {
    this.#clock = clock;
    this.#free = cores;
    this.#slowdown = slowdown;
  }

  /** Runs `workMs` of work when a core is free, and then calls `done`. */
  run(workMs: number, done: () => void): void {
    const begin = (): void =>
      this.#clock.after(workMs * this.#slowdown, () => {
        const next = this.#waiting.shift();
        if (next) next();
        else this.#free++;
        done();
      });
    if (this.#free === 0) return this.#waiting.push(begin);
    this.#free--;
    begin();
  }
}

/** A process with one thread: its pieces of work run one after the other, in the order in which they came. */
export class Processor {
  readonly #machine: Machine;
  readonly #queue = new Fifo<{ workMs: number; resume: () => void }>();
  #isBusy = false;
  /** CPU time so far, in milliseconds. */
  busyMs = 0;

  constructor(machine: Machine) {
    this.#machine = machine;
  }

  /** A wait until `workMs` milliseconds of CPU time are done. */
  work(workMs: number): Wait {
    return (resume) => {
      this.#queue.push({ workMs, resume });
      if (!this.#isBusy) this.#next();
    };
  }

  #next(): void {
    const work = this.#queue.shift();
    this.#isBusy = work !== undefined;
    if (!work) return;
    this.#machine.run(work.workMs, () => {
      this.busyMs += work.workMs;
      this.#next();
      work.resume();
    });
  }
}
