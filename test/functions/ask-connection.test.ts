/** The connection metrics and `cold_start` of answers, compared with the emulator's records. */
import { expect, it } from 'vitest';
import { ask, ascending, eventually } from '../support/app.ts';
import { useFreshApp } from '../support/fixture.ts';

const app = useFreshApp();

it('reports cold_start only for the first question of the process', async () => {
  await app.start();
  const answers = await Promise.all(['a', 'b', 'c'].map((question) => ask(app, { question })));
  const later = await ask(app, { question: 'd' });
  expect(answers.filter((answer) => answer.performance_metrics.cold_start)).toHaveLength(1);
  expect(later.performance_metrics.cold_start).toBe(false);
});

it.each(['h2', 'http/1.1'] as const)('distinguishes new and reused connections over %s', async (protocol) => {
  await app.start({ emulator: { protocols: [protocol] } });
  const first = (await ask(app, { question: 'one' })).performance_metrics;
  const second = (await ask(app, { question: 'two' })).performance_metrics;
  const name = protocol === 'h2' ? 'h2' : 'h1';

  expect(first.connection_reused).toBe(false);
  expect(first.connection).toMatchObject({
    protocol: name,
    id: 1,
    requests_on_connection: 1,
    attempts: 1,
    open: 1,
  });
  expect(first.connection?.connect_time).toBeGreaterThan(0);
  expect(second.connection_reused).toBe(true);
  expect(second.connection).toMatchObject({
    protocol: name,
    id: 1,
    requests_on_connection: 2,
    attempts: 1,
    open: 1,
  });
  expect(second.connection_stats).toMatchObject({
    total_requests: 2,
    connection_reuse_count: 1,
    reuse_percentage: 50,
  });
  expect(app.emulator.sockets).toMatchObject([{ id: 1, protocol: name, requests: 2 }]);
});

it.each(['h2', 'http/1.1'] as const)(
  'reports the connection of every question in a burst over %s',
  { tags: ['long'] },
  async (protocol) => {
    await app.start({ emulator: { protocols: [protocol], latencyMs: 30 } });
    const questions = Array.from({ length: 40 }, (_, index) => `question ${index}`);
    const burst = async () => {
      const answers = await Promise.all(
        questions.map((question) => ask(app, { question: `${Math.random()} ${question}` })),
      );
      return answers.map((answer) => answer.performance_metrics.connection);
    };
    const cold = await burst();
    const warm = await burst();

    const counted = new Map<number, number>();
    for (const connection of [...cold, ...warm]) {
      const id = connection?.id ?? 0;
      counted.set(id, (counted.get(id) ?? 0) + 1);
    }
    const seen = app.emulator.sockets.filter((socket) => socket.requests > 0);
    expect([...counted.values()].toSorted(ascending)).toEqual(
      seen.map((socket) => socket.requests).toSorted(ascending),
    );
    if (protocol === 'h2') expect(seen).toHaveLength(1);
  },
);

it('opens the connection before the first question, which then reuses it', async () => {
  await app.start({ env: { KEEP_WARM_MINUTES: '1' } });
  await eventually(() => app.emulator.sockets.length === 1);
  // The emulator completes the handshake slightly before the app does.
  await new Promise((resolve) => setTimeout(resolve, 100));
  const { performance_metrics: metrics } = await ask(app, { question: 'early bird' });
  expect(metrics).toMatchObject({ cold_start: true, connection_reused: true });
  expect(metrics.connection_stats.total_requests).toBe(1);
  expect(app.emulator.sockets).toHaveLength(1);
});
