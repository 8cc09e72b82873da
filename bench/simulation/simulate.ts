/** Runs a scenario for some minutes of simulated time. */
import { summarize, type Summary } from '../../dev/perf/statistics.ts';
import { type Activity, Clock, start } from './events.ts';
import type { World } from './instance.ts';
import { Model } from './model.ts';
import { Platform } from './platform.ts';
import { AnswerStore, Questions } from './questions.ts';
import { Random } from './random.ts';
import { type Break, RunRecord, type Refusal } from './run-record.ts';
import { dailyCurve, type Scenario } from './scenario.ts';
import { Storage } from './storage.ts';

/** The result of a run. Counts and rates are those of the whole deployment; times in milliseconds. */
export interface Outcome {
  scenario: string;
  seconds: number;
  arrived: number;
  answered: number;
  refused: Partial<Record<Refusal, number>>;
  /** Questions that had neither an answer nor a refusal at the end. */
  inProgress: number;
  /** Answers a second. */
  goodput: number;
  times: Summary | null;
  refusalTimes: Summary | null;
  /** See RunRecord.leastSlackMs. */
  leastSlackMs: number;
  instances: { atEnd: number; mean: number; cpuShare: number };
  coldStarts: number;
  /** Answers from the instance's own cache, from Redis, and from the model call of another question. */
  cacheHits: number;
  redisHits: number;
  redisLookups: number;
  coalesced: number;
  notSaved: number;
  withoutHistory: number;
  /** Requests to the model, and those of them that it answered. */
  modelRequests: number;
  completions: number;
  storageCalls: number;
  breaks: Break[];
}

/** Simulates `minutes` of a scenario. The same seed gives the same outcome. */
export function simulate(scenario: Scenario, seed: number, minutes: number): Outcome {
  const clock = new Clock();
  const record = new RunRecord();
  const random = new Random(seed, 'services');
  const redis =
    scenario.app.redisMs === null
      ? null
      : new AnswerStore(random, scenario.platform.ready === 0 ? 0 : scenario.questions.warmMs);
  const world: World = {
    scenario,
    clock,
    random,
    record,
    model: new Model(clock, record, random, scenario),
    storage: new Storage(clock, record, random, scenario),
    redis,
  };
  const platform = new Platform(world);
  // Arrivals have random numbers of their own, so that scenarios with the same load have the same questions.
  start(arrivals(world, platform, new Random(seed, 'arrivals')));
  const endMs = minutes * 60_000;
  clock.run(endMs);
  return outcomeOf(world, platform, endMs);
}

/** A Poisson process whose rate follows the daily curve and the herd. */
function* arrivals({ scenario, clock }: World, platform: Platform, random: Random): Activity {
  const { load, slice } = scenario;
  const questions = new Questions(scenario, random);
  for (;;) {
    const { herd } = load;
    const isHerd = herd !== null && clock.now >= herd.fromMs && clock.now < herd.fromMs + herd.forMs;
    const factor = dailyCurve(load.hour + clock.now / 3_600_000) * (isHerd ? herd.factor : 1);
    yield clock.wait(random.exponential(1000 / ((load.perSecond / slice) * factor)));
    platform.arrive(questions.draw(isHerd ? herd.sameShare : 0));
  }
}

function outcomeOf({ scenario, record }: World, platform: Platform, endMs: number): Outcome {
  const { slice } = scenario;
  const busyMs = platform.instances.reduce((sum, instance) => sum + instance.busyMs, 0);
  const whole = (count: number): number => count * slice;
  return {
    scenario: scenario.name,
    seconds: endMs / 1000,
    arrived: whole(record.arrived),
    answered: whole(record.answered),
    refused: Object.fromEntries([...record.refused].map(([code, count]) => [code, whole(count)])),
    inProgress: whole(record.inProgress),
    goodput: whole(record.answered) / (endMs / 1000),
    times: summarize(record.times),
    refusalTimes: summarize(record.refusalTimes),
    leastSlackMs: record.leastSlackMs,
    instances: {
      atEnd: whole(platform.instances.length),
      mean: whole(platform.instanceMs / endMs),
      cpuShare: platform.instanceMs === 0 ? 0 : busyMs / platform.instanceMs,
    },
    coldStarts: whole(record.coldStarts),
    cacheHits: whole(record.cacheHits),
    redisHits: whole(record.redisHits),
    redisLookups: whole(record.redisLookups),
    coalesced: whole(record.coalesced),
    notSaved: whole(record.notSaved),
    withoutHistory: whole(record.withoutHistory),
    modelRequests: whole(record.modelRequests),
    completions: whole(record.completions),
    storageCalls: whole(record.storageCalls),
    breaks: record.breaks(),
  };
}
