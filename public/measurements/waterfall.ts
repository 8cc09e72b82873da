/**
 * Places the steps of an answer on one time axis. The server reports durations, no start times. The steps run one after
 * another (history read, cache lookup, model, history write), and the time to first token is absolute: both together
 * give the starts. It needs no browser.
 */
import type { PerformanceMetrics } from '../../src/lib/contract/metrics.ts';

/** What a bar stands for. The `model` bar contains those after it that begin with `model`. */
export type StepName =
  | 'app'
  | 'history_read'
  | 'cache_lookup'
  | 'model'
  | 'model_connect'
  | 'model_first_byte'
  | 'model_other'
  | 'model_text'
  | 'history_write';

/** A part of the time axis, in seconds. */
export interface Span {
  from: number;
  to: number;
}

/** A step, and when it ran. `app`, the time between the other steps, may have two spans. */
export interface Step {
  name: StepName;
  seconds: number;
  spans: Span[];
}

/** The steps of an answer, in the order of their starts. Steps that took no time are left out. */
export interface Waterfall {
  /** The end of the axis. */
  total: number;
  /** When the first text was there; null when it is unknown. */
  firstText: number | null;
  steps: Step[];
}

/** Shorter steps would be shown as 0 ms. */
const SHORTEST = 0.00005;

/** Places the steps of an answer. */
export function layOut(metrics: PerformanceMetrics): Waterfall {
  const { timings } = metrics;
  const before = timings.history_read + timings.cache_lookup;
  const timed = before + timings.model + timings.history_write;
  const total = Math.max(metrics.total_time, timed);
  const firstText = timings.time_to_first_token > 0 ? Math.min(timings.time_to_first_token, total) : null;
  const own = total - timed;
  // The app's own time is before the first text as far as the first byte leaves room for it, and otherwise at the end.
  const firstByte = Math.min(metrics.connection?.time_to_first_byte ?? 0, timings.model);
  const room = firstText === null ? own : Math.max(0, firstText - before - firstByte);
  const start = Math.min(own, room);

  const read = spanFrom(start, timings.history_read);
  const lookup = spanFrom(read.to, timings.cache_lookup);
  const model = spanFrom(lookup.to, timings.model);
  const write = spanFrom(model.to, timings.history_write);
  const steps: Step[] = [
    step('app', { from: 0, to: start }, { from: write.to, to: Math.max(write.to, total) }),
    step('history_read', read),
    step('cache_lookup', lookup),
    step('model', model),
    ...partsOfModel(metrics, model, firstText),
    step('history_write', write),
  ];
  return { total, firstText, steps: steps.filter(({ seconds }) => seconds >= SHORTEST) };
}

/** The parts of the model step, as far as the connection was measured. */
function partsOfModel(
  { connection, connection_reused: isReused }: PerformanceMetrics,
  model: Span,
  firstText: number | null,
): Step[] {
  if (!connection) return [];
  const textFrom = Math.min(Math.max(firstText ?? model.to, model.from), model.to);
  const wait = textFrom - model.from;
  const firstByte = Math.min(connection.time_to_first_byte, wait);
  const other = wait - firstByte;
  // Earlier attempts come before the last one. Otherwise the request is taken to be sent when the step began.
  const sentAt = model.from + (connection.attempts > 1 ? other : 0);
  // The connection may have been begun before the request, so it may have taken longer than the wait for it.
  const connect = isReused ? 0 : Math.min(connection.connect_time, firstByte);
  const connecting = spanFrom(sentAt, connect);
  const waiting = { from: connecting.to, to: sentAt + firstByte };
  const parts = [
    step('model_connect', connecting),
    step('model_first_byte', waiting),
    step('model_other', connection.attempts > 1 ? spanFrom(model.from, other) : spanFrom(waiting.to, other)),
    step('model_text', { from: textFrom, to: model.to }),
  ];
  return parts.toSorted((a, b) => (a.spans[0]?.from ?? model.to) - (b.spans[0]?.from ?? model.to));
}

/** The times to mark on an axis: 0, and at most four round ones. */
export function ticksOf(total: number): number[] {
  if (total <= 0) return [0];
  const power = 10 ** Math.floor(Math.log10(total / 4));
  const distance = power * ([1, 2, 5, 10].find((each) => total / (each * power) <= 4) ?? 10);
  return Array.from({ length: Math.floor(total / distance) + 1 }, (_, index) => index * distance);
}

const spanFrom = (from: number, seconds: number): Span => ({ from, to: from + seconds });

function step(name: StepName, ...spans: Span[]): Step {
  const seconds = spans.reduce((sum, { from, to }) => sum + to - from, 0);
  return { name, seconds, spans: spans.filter(({ from, to }) => to - from >= SHORTEST) };
}
