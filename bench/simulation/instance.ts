/** One instance of the app: the path of a question, as docs/architecture.md describes it. */
import type { Activity, Clock } from './events.ts';
import { type CallResult, ModelClient } from './model-client.ts';
import type { Model } from './model.ts';
import { Machine, Processor } from './processor.ts';
import { AnswerStore, type Question } from './questions.ts';
import type { Random } from './random.ts';
import type { RunRecord, Refusal } from './run-record.ts';
import type { Scenario } from './scenario.ts';
import type { Storage } from './storage.ts';

/** A wait for the CPU that counts as a limit that was reached. */
const CPU_WAIT_MS = 100;

/** What all instances share. */
export interface World {
  scenario: Scenario;
  clock: Clock;
  random: Random;
  record: RunRecord;
  model: Model;
  storage: Storage;
  /** Null without Redis. */
  redis: AnswerStore | null;
}

/** The result of a question: the time of its steps without waits, or why there is no answer. */
export type Result = { workMs: number } | { refusal: Refusal };

interface Flight {
  result: CallResult | null;
  waiting: (() => void)[];
}

/** An instance with one core for its process. */
export class Instance {
  readonly #world: World;
  readonly #processor: Processor;
  readonly #client: ModelClient;
  readonly #cache: AnswerStore;
  readonly #inFlight = new Map<number, Flight>();
  /** Share of the load that its cache saw before the run. */
  readonly #shareOfLoad: number;
  /** Requests that the platform has sent here and that have not ended. */
  requests = 0;

  /** `isWarm`: it has served questions before the run. */
  constructor(world: World, isWarm: boolean) {
    const { clock, scenario, random } = world;
    this.#world = world;
    this.#processor = new Processor(new Machine(clock, 1));
    this.#client = new ModelClient(world, scenario.model.endpoints, scenario.app.maxConcurrency);
    this.#cache = new AnswerStore(random, isWarm ? scenario.questions.warmMs : 0);
    this.#shareOfLoad = 1 / Math.max(1, scenario.platform.ready);
  }

  /** CPU time so far, in milliseconds. */
  get busyMs(): number {
    return this.#processor.busyMs;
  }

  /** Answers a question that arrived here now. */
  *answer(question: Question): Activity<Result> {
    const { scenario, clock, storage, record } = this.#world;
    const { cpu, timeoutMs } = scenario.app;
    const { rowUnits, readMs, writeMs } = scenario.storage;
    const deadline = clock.now + timeoutMs;
    const isKnown = question.rowsRead > 0;
    const base = isKnown ? cpu.known : cpu.cached;
    let workMs = base;
    yield* this.#work(base * cpu.startShare);
    let hasHistory = true;
    if (isKnown) {
      const read = yield* storage.call(question.session, question.rowsRead * rowUnits, readMs);
      hasHistory = read !== null;
      workMs += read ?? 0;
    }
    if (!hasHistory) record.withoutHistory++;
    if (!hasHistory || !(yield* this.#lookUp(question))) {
      const called = yield* this.#ask(question, hasHistory, deadline);
      if ('refusal' in called) return called;
      workMs += called.workMs;
    }
    const written = yield* storage.call(question.session, rowUnits, writeMs);
    if (written === null) record.notSaved++;
    yield* this.#work(base * (1 - cpu.startShare));
    return { workMs: workMs + (written ?? 0) };
  }

  *#work(ms: number): Activity {
    const { clock, record } = this.#world;
    if (ms === 0) return;
    const end = clock.now + ms;
    yield this.#processor.work(ms);
    if (clock.now - end > CPU_WAIT_MS) record.meet('cpu', clock.now);
  }

  /** Looks in the instance's cache, and then in Redis. */
  *#lookUp({ key, perSecond }: Question): Activity<boolean> {
    const { scenario, clock, record, redis } = this.#world;
    if (this.#cache.has(key, perSecond * this.#shareOfLoad)) {
      record.cacheHits++;
      return true;
    }
    if (!redis || scenario.app.redisMs === null) return false;
    record.redisLookups++;
    yield clock.wait(scenario.app.redisMs);
    if (!redis.has(key, perSecond)) return false;
    record.redisHits++;
    this.#cache.add(key);
    return true;
  }

  /** Joins the model call in flight for the same question, or makes one. */
  *#ask(question: Question, canShare: boolean, deadline: number): Activity<CallResult> {
    const flight = canShare ? this.#inFlight.get(question.key) : undefined;
    if (flight) {
      this.#world.record.coalesced++;
      yield (resume) => flight.waiting.push(resume);
      // The time that was left of the call is no work of this question.
      return flight.result && 'refusal' in flight.result ? flight.result : { workMs: 0 };
    }
    if (!canShare) return yield* this.#callModel(question, deadline);
    const started: Flight = { result: null, waiting: [] };
    this.#inFlight.set(question.key, started);
    started.result = yield* this.#callModel(question, deadline);
    this.#inFlight.delete(question.key);
    if ('workMs' in started.result) {
      this.#cache.add(question.key);
      this.#world.redis?.add(question.key);
    }
    for (const resume of started.waiting) resume();
    return started.result;
  }

  *#callModel({ isStreamed }: Question, deadline: number): Activity<CallResult> {
    const { cpu } = this.#world.scenario.app;
    const extra = (isStreamed ? cpu.streamed : cpu.asked) - cpu.cached;
    yield* this.#work(extra / 2);
    const called = yield* this.#client.call(deadline);
    yield* this.#work(extra / 2);
    return 'refusal' in called ? called : { workMs: called.workMs + extra };
  }
}
