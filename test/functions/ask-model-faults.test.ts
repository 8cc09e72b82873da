/** Failures of the model as a caller sees them, with one endpoint and with several. */
import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { type Emulator, type Fault, startEmulator } from '../../dev/azure-openai-emulator/emulator.ts';
import { ask, askForError, type AppOptions, ascending, eventually, newQuestion } from '../support/app.ts';
import { sampled } from '../support/effort.ts';
import { useSharedApp } from '../support/fixture.ts';

const app = useSharedApp();

const connectionOf = async () => (await ask(app, { question: newQuestion() })).performance_metrics.connection;
const secret = 'secret-of-the-upstream';

const passing: Fault[] = [
  { kind: 'status', status: 500, message: secret },
  { kind: 'status', status: 503, message: secret, retryAfterMs: '10' },
  { kind: 'status', status: 408, message: secret },
  { kind: 'status', status: 429, message: secret, retryAfterMs: '10' },
  { kind: 'reset' },
  { kind: 'refuse' },
  { kind: 'goaway' },
  { kind: 'garbage' },
  { kind: 'empty' },
  { kind: 'answer', content: null },
];

const lasting: [Fault, number, string][] = [
  [{ kind: 'status', status: 401, message: secret }, 502, 'model_misconfigured'],
  [{ kind: 'status', status: 403, message: secret }, 502, 'model_misconfigured'],
  [{ kind: 'status', status: 404, message: secret }, 502, 'model_misconfigured'],
  [{ kind: 'no_deployment' }, 502, 'model_misconfigured'],
  [{ kind: 'status', status: 400, message: secret }, 502, 'model_misconfigured'],
  [
    { kind: 'status', status: 400, code: 'context_length_exceeded', message: secret },
    413,
    'conversation_too_long',
  ],
  [{ kind: 'content_filter' }, 422, 'content_filtered'],
  [{ kind: 'answer', content: '', finishReason: 'content_filter' }, 422, 'content_filtered'],
];

describe('a temporary fault', () => {
  it('is retried', async () => {
    await app.start();
    for (const fault of sampled(passing, 5)) {
      app.emulator.reset();
      app.emulator.failNext(fault);
      expect([fault, (await connectionOf())?.attempts]).toEqual([fault, 2]);
      expect(app.emulator.requests).toHaveLength(2);
    }
    expect(app.output()).not.toContain(secret);
  });

  it.each([
    [500, 502, 'model_unavailable', 'model_unavailable'],
    [408, 502, 'model_unavailable', 'model_unavailable'],
    [429, 429, 'model_rate_limited', 'model_rate_limited: raise the quota'],
  ])('%i three times is a %i', { tags: ['long'] }, async (status, expected, code, logged) => {
    await app.start();
    const fault: Fault = { kind: 'status', status, message: secret, retryAfterMs: '10' };
    app.emulator.failNext(fault, fault, fault);
    const failed = await askForError(app, { question: newQuestion() });
    expect([failed.status, failed.body.error.code]).toEqual([expected, code]);
    expect(app.emulator.requests).toHaveLength(3);
    expect(JSON.stringify(failed.body)).not.toContain(secret);
    expect(app.output()).toContain(logged);
    for (const text of [secret, app.emulator.apiKey]) expect(app.output()).not.toContain(text);
  });

  it('counts once in the statistics, as the call that was answered', async () => {
    await app.start({ fresh: true });
    app.emulator.failNext({ kind: 'reset' });
    const question = newQuestion();
    const first = await ask(app, { question });
    const cached = await ask(app, { question });
    expect(first.performance_metrics.connection_stats.total_requests).toBe(1);
    expect(first.performance_metrics.api_call_time).toBeGreaterThan(0.25);
    expect(cached.performance_metrics).toMatchObject({
      from_cache: true,
      connection_reused: false,
      connection: null,
      connection_stats: first.performance_metrics.connection_stats,
    });
  });
});

describe('a permanent fault', () => {
  it('is returned at once without upstream details, and the session stays usable', async () => {
    await app.start();
    const session_id = randomUUID();
    for (const [fault, status, code] of lasting) {
      app.emulator.reset();
      app.emulator.failNext(fault);
      const failed = await askForError(app, { question: newQuestion(), session_id });
      expect([fault, failed.status, failed.body.error.code]).toEqual([fault, status, code]);
      expect(app.emulator.requests).toHaveLength(1);
      const body = JSON.stringify(failed.body);
      for (const text of [secret, app.emulator.apiKey, app.emulator.url]) expect(body).not.toContain(text);
      expect(failed.body).not.toHaveProperty('stack');
    }
    const answer = await ask(app, { question: newQuestion(), session_id });
    expect(answer.chat_history).toHaveLength(2);
    expect(app.output()).not.toContain(secret);
    expect(app.output()).not.toContain(app.emulator.apiKey);
    expect(app.output()).toContain('check AZURE_OPENAI_ENDPOINT');
  });
});

describe('Retry-After of the model', () => {
  it('is respected in each of its three forms', { tags: ['long'] }, async () => {
    await app.start();
    const waits: [() => { retryAfter?: string; retryAfterMs?: string }, number][] = [
      [() => ({ retryAfterMs: '700', retryAfter: '60' }), 700],
      [() => ({ retryAfter: '1' }), 1000],
      // A date has a resolution of one second.
      [() => ({ retryAfter: new Date(Date.now() + 2500).toUTCString() }), 1400],
    ];
    for (const [headers, ms] of waits) {
      app.emulator.failNext({ kind: 'status', status: 429, ...headers() });
      const { performance_metrics: metrics } = await ask(app, { question: newQuestion() });
      expect(metrics.connection?.attempts).toBe(2);
      expect(metrics.api_call_time).toBeGreaterThan(ms / 1000);
    }
  });

  it('beyond the deadline is passed on to the caller at once', async () => {
    await app.start();
    app.emulator.failNext({ kind: 'status', status: 429, retryAfter: '200' });
    const limited = await askForError(app, { question: newQuestion() });
    expect(limited.status).toBe(429);
    expect(limited.headers.get('retry-after')).toBe('200');
    expect(limited.body.error.retry_after).toBe(200);
    expect(app.emulator.requests).toHaveLength(1);
  });
});

describe.each(sampled(['h2', 'http/1.1'] as const))('no data over %s', (alpn) => {
  const emulator = { protocols: [alpn] };

  it('until the deadline is a 504, and the call is aborted', async () => {
    await app.start({ emulator, env: { REQUEST_TIMEOUT_SECONDS: '3' } });
    app.emulator.failNext({ kind: 'hang' });
    const late = await askForError(app, { question: newQuestion() });
    expect(late).toMatchObject({ status: 504, body: { error: { code: 'timeout', limit: 3 } } });
    expect(app.emulator.requests).toHaveLength(1);
    await eventually(() => app.emulator.requests.every((request) => request.aborted));
    expect((await ask(app, { question: newQuestion() })).status).toBe('success');
  });
});

describe('the circuit breaker after five consecutive failures', () => {
  it(
    'is open for 10 s, and opens again when the first question after that fails',
    { tags: ['long'] },
    async () => {
      await app.start({ fresh: true });
      const fault: Fault = { kind: 'status', status: 500 };
      app.emulator.failNext(...Array.from({ length: 6 }, () => fault));
      for (const code of ['model_unavailable', 'model_unavailable', 'circuit_open']) {
        const failed = await askForError(app, { question: newQuestion() });
        expect(failed.body.error.code).toBe(code);
        if (code === 'circuit_open') {
          expect(failed.status).toBe(503);
          expect(Number(failed.headers.get('retry-after'))).toBeGreaterThan(5);
        }
      }
      expect(app.emulator.requests).toHaveLength(5);
      expect(app.output()).toContain('circuit breaker is open');
      await delay(10_000);
      // The sixth fault hits the probe and keeps the circuit breaker open.
      expect((await askForError(app, { question: newQuestion() })).body.error.code).toBe('model_unavailable');
      expect((await askForError(app, { question: newQuestion() })).body.error.code).toBe('circuit_open');
      await delay(10_000);
      expect((await ask(app, { question: newQuestion() })).status).toBe('success');
    },
  );

  it('does not count refusals and rate limits', async () => {
    await app.start();
    const faults: Fault[] = [
      { kind: 'status', status: 429, retryAfter: '200' },
      { kind: 'status', status: 401 },
      { kind: 'content_filter' },
    ];
    for (const fault of [...faults, ...faults, ...faults]) {
      app.emulator.failNext(fault);
      expect((await askForError(app, { question: newQuestion() })).body.error.code).not.toBe('circuit_open');
    }
    expect((await ask(app, { question: newQuestion() })).status).toBe('success');
  });
});

describe('with a fallback endpoint', () => {
  let fallback: Emulator;
  afterEach(() => fallback.close());
  const startBoth = async (env: AppOptions['env'] = {}): Promise<void> => {
    fallback = await startEmulator({ apiKey: 'fallback-key' });
    await app.start({
      fresh: true,
      env: {
        ...env,
        AZURE_OPENAI_FALLBACK_ENDPOINTS: fallback.url,
        AZURE_OPENAI_FALLBACK_API_KEYS: 'fallback-key',
      },
    });
  };

  it('uses it at once when the first fails, and starts with the first again for the next question', async () => {
    await startBoth();
    for (const kind of ['reset', 'garbage', 'empty'] as const) {
      app.emulator.failNext({ kind });
      expect(await connectionOf()).toMatchObject({ endpoint: 1, attempts: 2 });
      expect(await connectionOf()).toMatchObject({ endpoint: 0, attempts: 1 });
    }
  });

  it('asks it beside a silent endpoint, and the first answer is taken', async () => {
    await startBoth({ REQUEST_TIMEOUT_SECONDS: '5' });
    app.emulator.failNext({ kind: 'hang' });
    expect(await connectionOf()).toMatchObject({ endpoint: 1, attempts: 2 });
    await eventually(() => app.emulator.requests.every((request) => request.aborted));
    // The first one was only slow: it is not cut off, and wins.
    app.emulator.latencyMs = 3600;
    fallback.failNext({ kind: 'hang' });
    expect(await connectionOf()).toMatchObject({ endpoint: 0, attempts: 2 });
    await eventually(() => fallback.requests.at(-1)?.aborted === true);
  });

  it(
    'opens the circuit breaker of an endpoint that is silent while the fallback answers',
    { tags: ['long'] },
    async () => {
      await startBoth({ REQUEST_TIMEOUT_SECONDS: '5' });
      app.emulator.fault = { kind: 'hang' };
      const connections = await Promise.all(Array.from({ length: 5 }, connectionOf));
      expect(connections.map((each) => each?.endpoint)).toEqual([1, 1, 1, 1, 1]);
      expect(await connectionOf()).toMatchObject({ endpoint: 1, attempts: 1 });
    },
  );

  it('skips a rate-limited endpoint until its Retry-After has passed', async () => {
    await startBoth();
    app.emulator.failNext({ kind: 'status', status: 429, retryAfterMs: '2000' });
    expect(await connectionOf()).toMatchObject({ endpoint: 1, attempts: 2 });
    expect(await connectionOf()).toMatchObject({ endpoint: 1, attempts: 1 });
    await delay(2200);
    expect(await connectionOf()).toMatchObject({ endpoint: 0, attempts: 1 });
  });

  it('skips it also after the answer of a call that was sent before the limit', async () => {
    await startBoth();
    app.emulator.latencyMs = 1000;
    const earlier = connectionOf();
    await eventually(() => app.emulator.requests.length === 1);
    app.emulator.latencyMs = 0;
    app.emulator.failNext({ kind: 'status', status: 429, retryAfterMs: '20000' });
    expect(await connectionOf()).toMatchObject({ endpoint: 1, attempts: 2 });
    expect(await earlier).toMatchObject({ endpoint: 0, attempts: 1 });
    expect(await connectionOf()).toMatchObject({ endpoint: 1, attempts: 1 });
  });

  it('does not retry a failed endpoint before it had time to recover', async () => {
    await startBoth();
    const { port } = new URL(app.emulator.url);
    await app.emulator.close();
    for (let index = 0; index < 7; index++) {
      expect(await connectionOf()).toMatchObject({ endpoint: 1, attempts: index < 5 ? 2 : 1 });
    }
    expect(app.output()).toContain('Deployment "gpt-4o" at localhost failed repeatedly');
    expect(app.output()).not.toContain(port);
  });

  it('makes three attempts in total, and does not retry a refusal on the fallback', async () => {
    await startBoth();
    const fault: Fault = { kind: 'status', status: 500 };
    app.emulator.failNext(fault, fault);
    fallback.failNext(fault, fault);
    expect((await askForError(app, { question: newQuestion() })).body.error.code).toBe('model_unavailable');
    expect([app.emulator.requests.length, fallback.requests.length].toSorted(ascending)).toEqual([1, 2]);
    app.emulator.reset();
    app.emulator.failNext({ kind: 'status', status: 401 });
    fallback.reset();
    expect((await askForError(app, { question: newQuestion() })).body.error.code).toBe('model_misconfigured');
    expect(fallback.requests).toHaveLength(0);
  });
});

describe('more questions than MODEL_MAX_CONCURRENCY', () => {
  it('wait up to the same number; further ones get 503 with Retry-After', { tags: ['long'] }, async () => {
    await app.start({ fresh: true, env: { MODEL_MAX_CONCURRENCY: '2' }, emulator: { latencyMs: 3000 } });
    const asking = Array.from({ length: 4 }, () => ask(app, { question: newQuestion() }));
    await eventually(() => app.emulator.requests.length === 2);
    // The other two are about to join the queue.
    await delay(300);
    const busy = await askForError(app, { question: newQuestion() });
    expect(busy).toMatchObject({ status: 503, body: { error: { code: 'busy', retry_after: 1 } } });
    expect(busy.headers.get('retry-after')).toBe('1');
    expect(app.emulator.requests.map(({ status }) => status)).toEqual([null, null]);
    const times = (await Promise.all(asking)).map((answer) => answer.performance_metrics.api_call_time);
    expect(times.filter((time) => time > 5)).toHaveLength(2);
    app.emulator.latencyMs = 0;
    expect((await ask(app, { question: newQuestion() })).status).toBe('success');
  });

  it('get 504 when they wait until their deadline', { tags: ['long'] }, async () => {
    await app.start({
      fresh: true,
      env: { MODEL_MAX_CONCURRENCY: '1', REQUEST_TIMEOUT_SECONDS: '3' },
      emulator: { latencyMs: 5000 },
    });
    const both = await Promise.all(
      [newQuestion(), newQuestion()].map((q) => askForError(app, { question: q })),
    );
    expect(both.map((failed) => failed.body.error.code)).toEqual(['timeout', 'timeout']);
    app.emulator.latencyMs = 0;
    expect((await ask(app, { question: newQuestion() })).status).toBe('success');
  });
});
