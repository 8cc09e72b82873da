/** The layout of the waterfall: durations in, bars out. */
import { describe, expect, it } from 'vitest';
import { layOut, ticksOf, type Waterfall } from '../../public/measurements/waterfall.ts';
import type { PerformanceMetrics } from '../../src/lib/contract/metrics.ts';
import { doneWith } from './stand-in.ts';

const CONNECTION = {
  protocol: 'h2',
  id: 1,
  requests_on_connection: 3,
  connect_time: 0,
  tls_resumed: false,
  time_to_first_byte: 0,
  attempts: 1,
  open: 1,
  endpoint: 0,
} as const;

interface Times {
  total: number;
  read?: number;
  lookup?: number;
  model?: number;
  write?: number;
  first?: number;
}

/** The metrics of an answer with these times. A connection means that the model was called. */
function metricsOf(
  { total, read = 0, lookup = 0, model = 0, write = 0, first = 0 }: Times,
  connection: Partial<NonNullable<PerformanceMetrics['connection']>> | null = null,
  isReused = true,
): PerformanceMetrics {
  return {
    ...doneWith('', 's').performance_metrics,
    total_time: total,
    from_cache: connection === null,
    connection_reused: isReused,
    connection: connection && { ...CONNECTION, ...connection },
    timings: {
      history_read: read,
      cache_lookup: lookup,
      model,
      history_write: write,
      time_to_first_token: first,
    },
  };
}

/** The bars as text in milliseconds: `name: from-to from-to`. */
const bars = ({ steps }: Waterfall): string[] =>
  steps.map(
    ({ name, spans }) => `${name}: ${spans.map(({ from, to }) => `${ms(from)}-${ms(to)}`).join(' ')}`,
  );
const ms = (seconds: number): number => Math.round(seconds * 10_000) / 10;

describe('a model call', () => {
  const times: Times = { total: 0.56, read: 0.01, lookup: 0.002, model: 0.5, write: 0.03, first: 0.4 };

  it('has its steps one after another, and its parts up to and after the first text', () => {
    const layout = layOut(metricsOf(times, { connect_time: 0.05, time_to_first_byte: 0.36 }, false));
    expect(bars(layout)).toEqual([
      'app: 0-18',
      'history_read: 18-28',
      'cache_lookup: 28-30',
      'model: 30-530',
      'model_connect: 30-80',
      'model_first_byte: 80-390',
      'model_other: 390-400',
      'model_text: 400-530',
      'history_write: 530-560',
    ]);
    expect(layout).toMatchObject({ total: 0.56, firstText: 0.4 });
  });

  it('has no part to connect on a reused connection, whenever that was established', () => {
    const layout = layOut(metricsOf(times, { connect_time: 0.05, time_to_first_byte: 0.36 }));
    expect(bars(layout)).toContain('model_first_byte: 30-390');
    expect(bars(layout).join()).not.toContain('connect');
  });

  it('has the time of earlier attempts before the last one', () => {
    const layout = layOut(metricsOf(times, { attempts: 2, time_to_first_byte: 0.1 }));
    expect(bars(layout)).toEqual(
      expect.arrayContaining(['model_other: 30-300', 'model_first_byte: 300-400', 'model_text: 400-530']),
    );
    expect(bars(layout).findIndex((bar) => bar.startsWith('model_other'))).toBeLessThan(
      bars(layout).findIndex((bar) => bar.startsWith('model_first_byte')),
    );
  });

  it('does not wait longer for a connection than for the first byte', () => {
    const early = layOut(metricsOf(times, { connect_time: 5, time_to_first_byte: 0.2 }, false));
    expect(bars(early)).toContain('model_connect: 30-230');
    expect(bars(early).join()).not.toContain('first_byte');
  });

  it('has own time at the end when the first text leaves no room for it at the start', () => {
    const layout = layOut(
      metricsOf({ total: 1, model: 0.2, first: 0.11, write: 0.1 }, { time_to_first_byte: 0.1 }),
    );
    expect(bars(layout)[0]).toBe('app: 0-10 310-1000');
    expect(bars(layout)).toContain('history_write: 210-310');
  });

  it('that took two minutes keeps the short steps around it', () => {
    const slow = { total: 120, read: 0.004, model: 119.9, write: 0.006, first: 119 };
    const layout = layOut(metricsOf(slow, { time_to_first_byte: 0.2 }));
    expect(bars(layout)).toEqual([
      'app: 0-90',
      'history_read: 90-94',
      'model: 94-119994',
      'model_first_byte: 94-294',
      'model_other: 294-119000',
      'model_text: 119000-119994',
      'history_write: 119994-120000',
    ]);
  });
});

describe('an answer without a model call of its own', () => {
  it('from the cache begins with the end of the lookup', () => {
    const cached = { total: 0.024, read: 0.008, lookup: 0.001, write: 0.01, first: 0.012 };
    expect(bars(layOut(metricsOf(cached)))).toEqual([
      'app: 0-3 22-24',
      'history_read: 3-11',
      'cache_lookup: 11-12',
      'history_write: 12-22',
    ]);
  });

  it('that waited for the call of an identical question has that call in one piece', () => {
    const shared = { total: 0.3, lookup: 0.01, model: 0.25, write: 0.02, first: 0.1 };
    expect(bars(layOut(metricsOf(shared)))).toEqual([
      'app: 0-20',
      'cache_lookup: 20-30',
      'model: 30-280',
      'history_write: 280-300',
    ]);
  });

  it('that was stored before is time of the app alone', () => {
    const layout = layOut(metricsOf({ total: 0.02 }));
    expect(bars(layout)).toEqual(['app: 0-20']);
    expect(layout.firstText).toBeNull();
  });
});

it('a history that could be neither read nor written has its failed attempts', () => {
  const failed = { total: 7, read: 3, model: 1, write: 3, first: 3.5 };
  expect(bars(layOut(metricsOf(failed, { time_to_first_byte: 0.5 })))).toEqual([
    'history_read: 0-3000',
    'model: 3000-4000',
    'model_first_byte: 3000-3500',
    'model_text: 3500-4000',
    'history_write: 4000-7000',
  ]);
});

it('nothing measured gives no bars', () => {
  expect(layOut(metricsOf({ total: 0 }))).toEqual({ total: 0, firstText: null, steps: [] });
});

it.each([
  metricsOf(
    { total: 0.1, read: 0.2, model: 0.3, first: 9 },
    { time_to_first_byte: 8, connect_time: 7 },
    false,
  ),
  metricsOf({ total: 1, model: 1, first: 0.001 }, { time_to_first_byte: 0.9, attempts: 3 }),
  metricsOf({ total: 0.000004, lookup: 0.000003, first: 0.000001 }),
])(
  'keeps bars on the axis, and parts within the model, when the times contradict each other (%#)',
  (metrics) => {
    const { total, firstText, steps } = layOut(metrics);
    const model = steps.find(({ name }) => name === 'model')?.spans[0];
    expect(firstText).toBeLessThanOrEqual(total);
    for (const { name, spans } of steps) {
      for (const { from, to } of spans) {
        const bounds = name.startsWith('model_') && model ? model : { from: 0, to: total };
        expect(from).toBeGreaterThanOrEqual(bounds.from - 1e-9);
        expect(to).toBeLessThanOrEqual(bounds.to + 1e-9);
        expect(to).toBeGreaterThan(from);
      }
    }
  },
);

it.each([
  [0, [0]],
  [0.024, [0, 0.01, 0.02]],
  [0.56, [0, 0.2, 0.4]],
  [1, [0, 0.5, 1]],
  [120, [0, 50, 100]],
])('marks round times on an axis of %d s', (total, ticks) => {
  expect(ticksOf(total).map((tick) => Number(tick.toFixed(9)))).toEqual(ticks);
});
