/** The simulation: it is repeatable, loses no question, and agrees with queueing theory and with the app's own parts. */
import { afterEach, describe, expect, it, vi } from 'vitest';
import { SimulatedBreaker } from '../../bench/simulation/breaker.ts';
import { type Activity, Clock, Fifo, start } from '../../bench/simulation/events.ts';
import { Machine, Processor } from '../../bench/simulation/processor.ts';
import { Random, Zipf } from '../../bench/simulation/random.ts';
import { DEPLOYED, type Scenario } from '../../bench/simulation/scenario.ts';
import { scenariosFor } from '../../bench/simulation/scenarios.ts';
import { simulate } from '../../bench/simulation/simulate.ts';
import { CircuitBreaker } from '../../src/lib/model/circuit-breaker.ts';

describe('a run', () => {
  const scenarios = scenariosFor(60, 0.5);
  const [deployed = DEPLOYED] = scenarios;

  it('with the same seed gives the same outcome, and with another seed another one', () => {
    expect(simulate(deployed, 7, 0.5)).toEqual(simulate(deployed, 7, 0.5));
    expect(simulate(deployed, 8, 0.5)).not.toEqual(simulate(deployed, 7, 0.5));
  });

  it.each(scenarios.map((scenario) => [scenario.name, scenario] as const))(
    '%s: loses no question',
    (_, scenario) => {
      const outcome = simulate(scenario, 3, 0.5);
      const refused = Object.values(outcome.refused).reduce((sum, count) => sum + count, 0);
      expect(outcome.arrived).toBeGreaterThan(1000);
      expect(outcome.answered + refused + outcome.inProgress).toBe(outcome.arrived);
      expect(outcome.times?.count).toBe(outcome.answered);
      // No answer before its work was done. Sums of times are rounded.
      expect(outcome.leastSlackMs).toBeGreaterThan(-1e-6);
      const fromElsewhere = outcome.cacheHits + outcome.redisHits + outcome.coalesced;
      expect(outcome.completions + fromElsewhere).toBeGreaterThanOrEqual(outcome.answered);
    },
  );

  it('of a slice is like the run of the whole', () => {
    const sized = scenariosFor(400, 0.5).find(({ name }) => name === 'all sized') ?? DEPLOYED;
    const whole = {
      ...sized,
      platform: { ...sized.platform, ready: 8, max: 8 },
      model: { ...sized.model, endpoints: 1, tokensPerMinute: 1e8 },
    };
    const [all, part] = [simulate(whole, 1, 0.5), simulate({ ...whole, slice: 4 }, 1, 0.5)];
    expect(part.arrived / all.arrived).toBeCloseTo(1, 1);
    expect(part.completions / all.completions).toBeCloseTo(1, 1);
    expect(part.instances.mean).toBe(all.instances.mean);
  });
});

describe('queueing theory', () => {
  const { cpu } = DEPLOYED.app;
  /** Cached questions only, without storage: one server with constant times. */
  const oneServer = (serviceMs: number, perSecond: number): Scenario => ({
    ...DEPLOYED,
    load: { perSecond, hour: 14, herd: null },
    platform: { ...DEPLOYED.platform, max: 1, concurrency: 1e6 },
    app: { ...DEPLOYED.app, cpu: { ...cpu, cached: serviceMs, startShare: 1 } },
    questions: { ...DEPLOYED.questions, first: 1, sessionLength: 1, warmMs: 1e9 },
    storage: { ...DEPLOYED.storage, readMs: 0, writeMs: 0, accountLimit: 1e9 },
  });

  it('M/D/1: the mean time of cached questions on one instance', () => {
    const [serviceMs, perSecond] = [8, 100];
    const load = (serviceMs * perSecond) / 1000;
    const expected = serviceMs * (1 + load / (2 * (1 - load)));
    const { times } = simulate(oneServer(serviceMs, perSecond), 5, 20);
    expect((times?.mean ?? 0) / expected).toBeCloseTo(1, 1);
  });

  it('M/M/1: the mean time at a processor', () => {
    const clock = new Clock();
    const processor = new Processor(new Machine(clock, 1));
    const random = new Random(1, 'test');
    const times: number[] = [];
    function* customer(): Activity {
      const arrivedAt = clock.now;
      yield processor.work(random.exponential(7));
      times.push(clock.now - arrivedAt);
    }
    function* arrivals(): Activity {
      for (;;) {
        yield clock.wait(random.exponential(10));
        start(customer());
      }
    }
    start(arrivals());
    clock.run(3_000_000);
    const mean = times.reduce((sum, time) => sum + time, 0) / times.length;
    // 1 / (service rate - arrival rate)
    expect(mean / (1 / (1 / 7 - 1 / 10))).toBeCloseTo(1, 1);
  });

  it('two processes finish their work sooner on two cores than on one', () => {
    expect([endWith(1), endWith(2)]).toEqual([60, 30]);
  });
});

describe('the parts', () => {
  afterEach(() => void vi.useRealTimers());

  it('the circuit breaker decides like that of the app', async () => {
    vi.useFakeTimers({ toFake: ['performance'] });
    const random = new Random(2, 'breaker');
    const clock = new Clock();
    const simulated = new SimulatedBreaker(clock);
    const real = new CircuitBreaker(() => {});
    const startedAt = performance.now();
    const inFlight: { settle: (failure: boolean) => Promise<void> }[] = [];
    const waits = new Set<number>();
    for (let step = 0; step < 3000; step++) {
      const ms = random.below(4) === 0 ? random.below(3000) : 0;
      vi.advanceTimersByTime(ms);
      clock.run(performance.now() - startedAt);
      expect(simulated.waitMs).toBeCloseTo(real.waitMs, 6);
      waits.add(Math.ceil(real.waitMs / 1000));
      if (real.waitMs === 0 && random.below(2) === 0) inFlight.push(begin(real, simulated));
      const [settled] = inFlight.splice(random.below(inFlight.length + 1), 1);
      await settled?.settle(random.next() < (step % 300 < 200 ? 0.9 : 0.1));
    }
    // It was closed, open and half open.
    expect(waits.size).toBeGreaterThan(8);
  });

  it('Zipf: the first rank is as frequent as its probability', () => {
    const [zipf, random] = [new Zipf(50, 1), new Random(1, 'zipf')];
    const draws = Array.from({ length: 20_000 }, () => zipf.sample(random));
    expect(draws.filter((index) => index === 0).length / draws.length).toBeCloseTo(zipf.probability(0), 1);
    expect(Math.max(...draws)).toBe(49);
  });

  it('the queue keeps the order of thousands of items', () => {
    const queue = new Fifo<number>();
    for (let index = 0; index < 5000; index++) queue.push(index);
    expect(Array.from({ length: 5000 }, () => queue.shift())).toEqual([
      ...Array.from({ length: 5000 }).keys(),
    ]);
    expect([queue.length, queue.shift()]).toEqual([0, undefined]);
  });
});

/** Begins a request at both breakers, and gives the function that ends it. */
function begin(
  real: CircuitBreaker,
  simulated: SimulatedBreaker,
): { settle: (failure: boolean) => Promise<void> } {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const end = simulated.begin();
  const running = real
    .run(
      () => promise,
      (error) => error as object,
    )
    .catch(() => {});
  return {
    async settle(failure) {
      if (failure) reject(new Error('503'));
      else resolve();
      end(failure ? 'failure' : 'success');
      await running;
    },
  };
}

/** The time at which two processes with three jobs of 10 ms each are done. */
function endWith(cores: number): number {
  const clock = new Clock();
  const machine = new Machine(clock, cores);
  let endedAt = 0;
  function* job(processor: Processor): Activity {
    yield processor.work(10);
    endedAt = clock.now;
  }
  for (const processor of [new Processor(machine), new Processor(machine)])
    for (let index = 0; index < 3; index++) start(job(processor));
  clock.run(1000);
  return endedAt;
}
