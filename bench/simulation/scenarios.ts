/** The scenarios of `npm run bench:simulate`: three rates, each with the default deployment and with sized ones. */
import { DEPLOYED, type Scenario } from './scenario.ts';

/** The rates of docs/scale.md, in questions a second. */
export const RATES = [10, 1000, 50_000] as const;

/** Largest number of questions a second that is simulated one by one. Above it, a slice is simulated. */
const MAX_SIMULATED = 1000;
/** The share of questions that reach the model. In the runs it is 0.5 to 0.7 with warm caches, 0.85 with cold ones. */
const ASKED_SHARE = 0.75;
/** Quota of the model in one region: docs/scale.md. */
const REGION_TOKENS_PER_MINUTE = 10_000_000;
/** How much more than the mean load of the busiest hour a deployment is sized for. */
const HEADROOM = 1.5;
/** Requests of an instance at once: about half of a core at 2.5 s and 2.5 ms of CPU for each question. */
const CONCURRENCY = 500;

/** What a deployment needs for a rate. */
interface Size {
  instances: number;
  tokensPerMinute: number;
  endpoints: number;
  accounts: number;
}

/** Computes the size for `perSecond` questions a second in the busiest hour. docs/scale.md has the formulas. */
function sizeFor(perSecond: number): Size {
  const { model, storage, questions } = DEPLOYED;
  const inFlight = perSecond * (ASKED_SHARE * model.meanMs + 30) * 0.001;
  const tokensPerMinute = perSecond * ASKED_SHARE * model.tokens * 60 * HEADROOM;
  const earlier = (questions.sessionLength - 1) / 2;
  const units = perSecond * (1 + earlier) * storage.rowUnits * HEADROOM;
  return {
    instances: Math.ceil((inFlight / CONCURRENCY) * HEADROOM),
    tokensPerMinute,
    endpoints: Math.ceil(tokensPerMinute / REGION_TOKENS_PER_MINUTE),
    accounts: Math.ceil(units / storage.accountLimit),
  };
}

const named = (name: string, scenario: Scenario): Scenario => ({ ...scenario, name });

/** The scenarios of a rate. A herd comes at six tenths of a run of `minutes`. */
export function scenariosFor(perSecond: number, minutes: number): Scenario[] {
  const size = sizeFor(perSecond);
  const { load, platform, app, model, storage } = DEPLOYED;
  const slice = Math.max(1, Math.round(perSecond / MAX_SIMULATED));
  const ready = Math.ceil(Math.min(platform.max, (perSecond * model.meanMs) / 1000 / platform.concurrency));
  const base: Scenario = {
    ...DEPLOYED,
    slice,
    load: { ...load, perSecond },
    platform: { ...platform, ready },
  };
  const quota = {
    ...model,
    endpoints: size.endpoints,
    tokensPerMinute: size.tokensPerMinute / size.endpoints,
  };
  const instances = {
    ...platform,
    ready: size.instances,
    max: Math.max(platform.max, 2 * size.instances),
    concurrency: CONCURRENCY,
  };
  const sized: Scenario = {
    ...base,
    platform: instances,
    app: { ...app, maxConcurrency: CONCURRENCY },
    model: quota,
    storage: { ...storage, accounts: size.accounts },
  };
  const herd = { fromMs: minutes * 36_000, forMs: 10_000, factor: 3, sameShare: 0.5 };
  const outage = { fromMs: minutes * 18_000, toMs: minutes * 30_000 };
  return [
    base,
    named('model quota sized', { ...base, model: quota }),
    named('quota and instances sized', { ...sized, storage }),
    named('all sized', sized),
    named('all sized, from 0 instances', { ...sized, platform: { ...instances, ready: 0 } }),
    named('all sized, a herd of 3 x for 10 s', { ...sized, load: { ...sized.load, herd } }),
    named('all sized, Redis', { ...sized, app: { ...sized.app, redisMs: 1 } }),
    named('all sized, the quota at one endpoint', {
      ...sized,
      model: { ...model, tokensPerMinute: size.tokensPerMinute },
    }),
    named('all sized, first endpoint fails', { ...sized, model: { ...quota, outage } }),
    named('all sized, 5 % in one session', {
      ...sized,
      storage: { ...sized.storage, hotSessionShare: 0.05 },
    }),
  ];
}
