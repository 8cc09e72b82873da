/** The exported metrics: model calls by OpenTelemetry's conventions, and this app's own metrics, which start with `ask.`. */
import type { ProcessState } from './process-counters.ts';
import type { Attributes, Histogram, Meter } from '@opentelemetry/api';
import type { Config } from '../config/config.ts';
import { type FinishedMcpRequest, type FinishedQuestion, outcomeName } from './finished.ts';
import {
  commonAttributes,
  GEN_AI,
  GEN_AI_METRICS,
  GENERAL,
  MCP_DURATION,
  timeToFirstChunk,
} from './gen-ai-conventions.ts';
import { mcpAttributes } from './spans.ts';
import type { CallRecord } from '../model/completion.ts';

/** Records a finished question in the metrics. */
export type CountQuestion = (finished: FinishedQuestion) => void;

/** Creates the instrument for requests of the Model Context Protocol, and gives the function that records one. */
export function createMcpMeter(meter: Meter): (finished: FinishedMcpRequest) => void {
  const { name, unit, buckets } = MCP_DURATION;
  const duration = meter.createHistogram(name, { unit, advice: { explicitBucketBoundaries: buckets } });
  return (finished) => {
    duration.record((finished.endedAt - finished.startedAt) / 1000, mcpAttributes(finished));
  };
}

/** Creates the instruments of `meter`. */
export function createMeters(meter: Meter, config: Config, state: ProcessState): CountQuestion {
  observe(meter, state);
  const countCall = createCallMeters(meter, config);
  const duration = meter.createHistogram('ask.question.duration', {
    unit: 's',
    description: 'From the arrival of a question to the end of its answer.',
    advice: { explicitBucketBoundaries: GEN_AI_METRICS.duration.buckets },
  });
  const cache = meter.createCounter('ask.cache.results', {
    description: 'Questions, by how the cache took part.',
  });
  const coldStarts = meter.createCounter('ask.cold_starts', {
    description: 'Questions that were the first of their process.',
  });
  const lost = meter.createCounter('ask.history.lost', {
    description: 'Answered questions that could not be stored with their answers.',
  });
  const cost = meter.createCounter('ask.cost', {
    description:
      'Cost of model calls, and cost saved by answers without a model call, in the currency of the prices.',
  });
  return ({ outcome, record, metrics }) => {
    duration.record(metrics.total_time, {
      'ask.outcome': outcomeName(outcome),
      'ask.cache.result': record.cache.result,
    });
    cache.add(1, {
      'ask.cache.result': record.cache.result,
      ...(record.cache.tier && { 'ask.cache.tier': record.cache.tier }),
      ...(record.cache.reason && { 'ask.cache.reason': record.cache.reason }),
      ...(record.cache.stale && { 'ask.cache.fault': record.cache.stale.fault.code }),
    });
    if (record.coldStart) coldStarts.add(1);
    if (outcome === 'answered' && !metrics.history_saved) lost.add(1);
    if (metrics.cost) {
      cost.add(metrics.cost.spent, { 'ask.cost.kind': 'spent' });
      cost.add(metrics.cost.saved, { 'ask.cost.kind': 'saved' });
    }
    for (const call of record.calls) countCall(call);
  };
}

function createCallMeters(meter: Meter, config: Config): (call: CallRecord) => void {
  const histogram = ({ name, unit, buckets }: (typeof GEN_AI_METRICS)['duration']): Histogram =>
    meter.createHistogram(name, { unit, advice: { explicitBucketBoundaries: buckets } });
  const duration = histogram(GEN_AI_METRICS.duration);
  const firstChunk = histogram(GEN_AI_METRICS.timeToFirstChunk);
  const tokens = histogram(GEN_AI_METRICS.tokenUsage);
  const connections = meter.createCounter('ask.connection.uses', {
    description: 'Model calls, by whether they reused a connection.',
  });
  return (call) => {
    const common: Attributes = commonAttributes(config, call);
    const seconds = ((call.endedAt ?? performance.now()) - call.startedAt) / 1000;
    duration.record(seconds, { ...common, ...(call.error !== null && { [GENERAL.errorType]: call.error }) });
    if (call.firstTokenAt !== null) firstChunk.record(timeToFirstChunk(call), common);
    if (call.completion) {
      tokens.record(call.tokens.prompt, { ...common, [GEN_AI.tokenType]: 'input' });
      tokens.record(call.tokens.completion, { ...common, [GEN_AI.tokenType]: 'output' });
    }
    if (call.connection.protocol) connections.add(1, { 'ask.connection.reused': call.connection.reused });
  };
}

function observe(meter: Meter, state: ProcessState): void {
  meter
    .createObservableGauge('ask.model.retires_in', {
      unit: 'd',
      description: 'Days until the model of an endpoint retires; absent while its date is not known.',
    })
    .addCallback((result) => {
      for (const { endpoint, days } of state.retirements())
        result.observe(days, { 'ask.endpoint': endpoint });
    });
  meter
    .createObservableGauge('ask.breaker.open', {
      description:
        '1 while the circuit breaker of a model endpoint is open, because the endpoint failed repeatedly.',
    })
    .addCallback((result) => {
      for (const [endpoint, isOpen] of state.openBreakers().entries()) {
        result.observe(isOpen ? 1 : 0, { 'ask.endpoint': endpoint });
      }
    });
  meter
    .createObservableCounter('ask.breaker.openings', {
      // An opening may be over before the gauge is read.
      description: 'Times that the circuit breaker of a model endpoint opened.',
    })
    .addCallback((result) => {
      for (const [endpoint, openings] of state.breakerOpenings().entries()) {
        result.observe(openings, { 'ask.endpoint': endpoint });
      }
    });
  meter
    .createObservableGauge('ask.connections.open', { description: 'Open connections to the model.' })
    .addCallback((result) => result.observe(state.openConnections()));
  meter
    .createObservableCounter('ask.background_writes', {
      description: 'Writes of cached answers to the file and to Redis, successful or failed.',
    })
    .addCallback((result) => {
      for (const [outcome, count] of Object.entries(state.backgroundWrites())) {
        result.observe(count, { 'ask.write.outcome': outcome });
      }
    });
}
