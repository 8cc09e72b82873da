/** The platform: it distributes requests over instances, and starts instances by the number of requests. */
import { type Activity, type Clock, Fifo, start } from './events.ts';
import { Instance, type World } from './instance.ts';
import type { Question } from './questions.ts';

/** A wait for an instance that counts as a limit that was reached. */
const LONG_WAIT_MS = 1000;

/** Flex Consumption as documented; what is not documented is in docs/scale.md. */
export class Platform {
  readonly #world: World;
  readonly #clock: Clock;
  readonly instances: Instance[] = [];
  readonly #queue = new Fifo<{ question: Question; arrivedAt: number }>();
  /** Limits of the simulated slice. */
  readonly #max: number;
  readonly #startsPerSecond: number;
  #starting = 0;
  #startCredit = 0;
  #inFlight = 0;
  #next = 0;
  /** Sum over time of the number of instances, in instance-milliseconds. */
  instanceMs = 0;

  constructor(world: World) {
    const { platform, slice } = world.scenario;
    this.#world = world;
    this.#clock = world.clock;
    this.#max = Math.max(1, Math.round(platform.max / slice));
    this.#startsPerSecond = platform.startsPerSecond / slice;
    const ready = platform.ready === 0 ? 0 : Math.max(1, Math.round(platform.ready / slice));
    for (let index = 0; index < ready; index++) this.instances.push(new Instance(world, true));
    this.#tick();
  }

  /** Takes a question that arrives now. */
  arrive(question: Question): void {
    const { record, clock } = this.#world;
    record.arrive(clock.now);
    this.#queue.push({ question, arrivedAt: clock.now });
    this.#dispatch();
    // The first request of an app without instances does not wait for the next decision.
    if (this.instances.length + this.#starting === 0) this.#startOne();
  }

  #dispatch(): void {
    const { concurrency, patienceMs } = this.#world.scenario.platform;
    while (this.#queue.length > 0 && this.#inFlight < concurrency * this.instances.length) {
      const waiting = this.#queue.shift();
      if (!waiting) return;
      const { question, arrivedAt } = waiting;
      const waitedMs = this.#clock.now - arrivedAt;
      if (waitedMs > LONG_WAIT_MS) this.#world.record.meet('instances', arrivedAt);
      if (waitedMs > patienceMs) this.#world.record.refuse('no_instance', patienceMs);
      else start(this.#serve(this.#free(concurrency), question, arrivedAt));
    }
  }

  /** The next instance, in turn, that has fewer requests than its limit. */
  #free(concurrency: number): Instance {
    for (;;) {
      this.#next = (this.#next + 1) % this.instances.length;
      const instance = this.instances[this.#next];
      if (instance && instance.requests < concurrency) return instance;
    }
  }

  *#serve(instance: Instance, question: Question, arrivedAt: number): Activity {
    const { record } = this.#world;
    instance.requests++;
    this.#inFlight++;
    const result = yield* instance.answer(question);
    const ms = this.#clock.now - arrivedAt;
    if ('refusal' in result) record.refuse(result.refusal, ms);
    else record.answer(ms, result.workMs);
    instance.requests--;
    this.#inFlight--;
    this.#dispatch();
  }

  /** Once a second: starts instances until there are enough for the requests in flight and in the queue. */
  #tick(): void {
    const { concurrency } = this.#world.scenario.platform;
    const wanted = Math.min(this.#max, Math.ceil((this.#inFlight + this.#queue.length) / concurrency));
    this.#startCredit = Math.min(
      this.#startCredit + this.#startsPerSecond,
      Math.max(1, this.#startsPerSecond),
    );
    while (this.#startCredit >= 1 && this.instances.length + this.#starting < wanted) this.#startOne();
    this.instanceMs += 1000 * this.instances.length;
    this.#clock.after(1000, () => this.#tick());
  }

  #startOne(): void {
    const { record, scenario } = this.#world;
    this.#startCredit--;
    this.#starting++;
    record.coldStarts++;
    this.#clock.after(scenario.platform.coldStartMs, () => {
      this.#starting--;
      this.instances.push(new Instance(this.#world, false));
      this.#dispatch();
    });
  }
}
