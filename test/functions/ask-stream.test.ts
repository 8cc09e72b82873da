/** Answers as server-sent events, read by an independent parser. */
import { randomUUID } from 'node:crypto';
import { request as httpRequest } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { ask, eventually, newQuestion, post } from '../support/app.ts';
import { sampled } from '../support/effort.ts';
import { type Streamed, type StreamOptions, streamFrom } from '../support/streamed.ts';
import { useSharedApp } from '../support/fixture.ts';

const app = useSharedApp();

/** {@link streamFrom} the app under test. */
const stream = (fields: object, options?: StreamOptions) => streamFrom(app, fields, options);

const long = (words = 60): string => Array.from({ length: words }, (_, index) => `wörd${index}💥`).join(' ');

describe('while a rate limit of the model is waited out', () => {
  it('the streams of all who wait for the answer say so, and the log', async () => {
    await app.start();
    app.emulator.failNext({ kind: 'status', status: 429, retryAfterMs: '2500' });
    const [question, session_id, key] = [newQuestion(), randomUUID(), randomUUID()];
    const waiting = stream({ question, session_id }, { headers: { 'Idempotency-Key': key } });
    await eventually(() => app.output().includes('The quota of the model is used up: waiting for 3 s'));
    const followed = stream({ question, session_id }, { headers: { 'Idempotency-Key': key } });
    const coalesced = stream({ question });
    for (const { names, status, done } of await Promise.all([waiting, followed, coalesced])) {
      expect(names).toEqual(['session', 'status', 'token', 'done']);
      expect(status).toEqual({ state: 'rate_limited', retry_in: expect.any(Number) });
      expect(status?.retry_in).toBeGreaterThan(0);
      expect(status?.retry_in).toBeLessThanOrEqual(2.5);
      expect(done?.status).toBe('success');
    }
    expect(app.emulator.requests).toHaveLength(2);
  });
});

describe('a streamed answer', () => {
  it('arrives token by token, ends with the whole answer, and is stored', async () => {
    await app.start({ fresh: true });
    app.emulator.tokenDelayMs = 10;
    app.emulator.failNext({ kind: 'answer', content: long() });
    const session_id = randomUUID();
    const times: number[] = [];
    const { response, names, tokens, session, done } = await stream(
      { question: newQuestion(), session_id },
      { onToken: () => times.push(performance.now()) > 0 },
    );
    expect(response.headers.get('content-type')).toContain('text/event-stream');
    expect(response.headers.get('cache-control')).toBe('no-store');
    expect(response.headers.get('x-accel-buffering')).toBe('no');
    expect(response.headers.get('x-cache')).toBe('MISS');
    expect(names).toEqual(['session', 'token', 'done']);
    expect(session).toEqual({ session_id, cold_start: true });
    // On a busy machine, tokens that have come together are sent together.
    expect(tokens.length).toBeGreaterThan(5);
    expect(tokens.join('')).toBe(long());
    expect(done).toMatchObject({ answer: long(), session_id, status: 'success' });
    const metrics = done?.performance_metrics;
    expect(metrics?.tokens.completion).toBeGreaterThan(0);
    expect(metrics?.history_saved).toBe(true);
    // The first token arrived long before the last one.
    expect((times.at(-1) ?? 0) - (times[0] ?? 0)).toBeGreaterThan(100);
    const { total_time: total = 0, timings } = metrics ?? {};
    expect(total - (timings?.time_to_first_token ?? total)).toBeGreaterThan(0.1);
    expect((await ask(app, { question: 'And?', session_id })).chat_history).toHaveLength(4);
  });

  it('can be requested in the body, and arrives at once from the cache', async () => {
    await app.start();
    const question = newQuestion();
    await stream({ question, stream: true }, { headers: { Accept: '*/*' } });
    const { response, tokens, done } = await stream({ question });
    expect(tokens).toEqual([done?.answer]);
    expect(response.headers.get('x-cache')).toBe('HIT');
    expect(response.headers.get('age')).toMatch(/^\d+$/);
    expect(done?.performance_metrics.cache.result).toBe('hit');
    expect((await ask(app, { question })).performance_metrics.cache.result).toBe('hit');
    expect((await post(app, '{"question": "q", "stream": "yes"}')).status).toBe(400);
  });

  it('is shared with later identical questions: streams get all tokens, plain callers the whole answer', async () => {
    await app.start();
    app.emulator.tokenDelayMs = 40;
    app.emulator.failNext({ kind: 'answer', content: long() });
    const question = newQuestion();
    let begun = false;
    const first = stream({ question }, { onToken: () => (begun = true) });
    await eventually(() => begun);
    let finished = false;
    void first.then(() => (finished = true));
    let early = 0;
    const [second, plain] = await Promise.all([
      stream({ question }, { onToken: () => (early += finished ? 0 : 1) >= 0 }),
      ask(app, { question }),
    ]);
    expect(second.tokens.join('')).toBe(long());
    expect(early).toBeGreaterThan(3);
    expect(plain.answer).toBe(long());
    expect([second.done, plain].map((answer) => answer?.performance_metrics.cache.result)).toEqual([
      'coalesced',
      'coalesced',
    ]);
    expect(app.emulator.requests).toHaveLength(1);
    await first;
  });

  it(
    'joins the model call of a plain question, and then arrives in one piece',
    { tags: ['long'] },
    async () => {
      await app.start({ emulator: { latencyMs: 2000 } });
      const question = newQuestion();
      const plain = ask(app, { question });
      await eventually(() => app.emulator.requests.length === 1);
      const { tokens, done } = await stream({ question });
      expect(tokens).toEqual([(await plain).answer]);
      expect(done?.performance_metrics.cache.result).toBe('coalesced');
    },
  );

  it('is replayed for the same Idempotency-Key', async () => {
    await app.start();
    const fields = { question: newQuestion(), session_id: randomUUID() };
    const headers = { 'Idempotency-Key': 'k' };
    const first = await stream(fields, { headers });
    const again = await stream(fields, { headers });
    expect(again.response.headers.get('idempotency-replayed')).toBe('true');
    expect(again.tokens.join('')).toBe(first.done?.answer);
    expect(app.emulator.requests).toHaveLength(1);
  });

  it(
    'works for 200 concurrent streams over at most two connections to the model',
    { tags: ['long'] },
    async () => {
      await app.start({ fresh: true, emulator: { latencyMs: 20 } });
      app.emulator.tokenDelayMs = 5;
      await stream({ question: newQuestion() });
      const all = await Promise.all(Array.from({ length: 200 }, () => stream({ question: newQuestion() })));
      for (const { tokens, done } of all) expect(tokens.join('')).toBe(done?.answer);
      expect(app.emulator.sockets.filter(({ requests }) => requests > 0).length).toBeLessThanOrEqual(2);
    },
  );
});

describe('a failure', () => {
  it('before the first token is a plain error with its status', async () => {
    await app.start();
    app.emulator.failNext({ kind: 'status', status: 401 });
    expect(await stream({ question: newQuestion() })).toMatchObject({
      response: { status: 502 },
      error: { error: { code: 'model_misconfigured' } },
    });
    app.emulator.failNext({ kind: 'reset' });
    expect((await stream({ question: newQuestion() })).done?.performance_metrics.connection?.attempts).toBe(
      2,
    );
  });

  it.each(
    sampled([
      ['break', 'model_unavailable'],
      ['stall', 'timeout'],
    ]),
  )(
    'during the stream (%s) is an event; a partial answer is not stored, cached or retried',
    async (kind, code) => {
      await app.start({ env: { REQUEST_TIMEOUT_SECONDS: '4' } });
      const session_id = randomUUID();
      const fields = { question: newQuestion(), session_id };
      app.emulator.failNext({ kind });
      const { names, error, done, tokens } = await stream(fields);
      expect(names).toEqual(['session', 'token', 'error']);
      expect(error).toMatchObject({ error: { code }, session_id });
      expect([tokens.length > 0, done]).toEqual([true, undefined]);
      expect(app.emulator.requests).toHaveLength(1);
      const again = await ask(app, fields);
      expect(again.performance_metrics.cache.result).toBe('miss');
      expect(again.chat_history).toHaveLength(2);
    },
  );

  it('of the content filter during the stream is an event, and the interaction is not stored', async () => {
    await app.start();
    const session_id = randomUUID();
    app.emulator.failNext({ kind: 'answer', content: long(), finishReason: 'content_filter' });
    const { names, error } = await stream({ question: newQuestion(), session_id });
    expect(names).toEqual(['session', 'token', 'error']);
    expect(error?.error.code).toBe('content_filtered');
    expect((await ask(app, { question: 'next', session_id })).chat_history).toHaveLength(2);
  });

  it('at the deadline is an event when the answer has begun', { tags: ['long'] }, async () => {
    await app.start({ env: { REQUEST_TIMEOUT_SECONDS: '3' } });
    app.emulator.tokenDelayMs = 50;
    app.emulator.failNext({ kind: 'answer', content: long(200) });
    const { names, error } = await stream({ question: newQuestion() });
    expect([names, error?.error.code]).toEqual([['session', 'token', 'error'], 'timeout']);
    await eventually(() => app.emulator.requests.every(({ aborted }) => aborted));
  });

  it('because the process stops is an event', { tags: ['long'] }, async () => {
    await app.start({ fresh: true });
    app.emulator.tokenDelayMs = 100;
    app.emulator.failNext({ kind: 'answer', content: long(200) });
    let begun = false;
    const streaming = stream({ question: newQuestion() }, { onToken: () => (begun = true) });
    await eventually(() => begun);
    void app.host.stop();
    expect((await streaming).error?.error.code).toBe('stopping');
  });
});

/** Starts to read a long answer, then disconnects. */
const disconnect = async (fields: object, headers?: Record<string, string>): Promise<void> => {
  app.emulator.tokenDelayMs = 20;
  app.emulator.failNext({ kind: 'answer', content: long() });
  await stream(fields, { onToken: () => false, ...(headers && { headers }) });
};

describe('a caller that disconnects', () => {
  it('does not stop the answer, which is completed, stored and cached', async () => {
    await app.start();
    const fields = { question: newQuestion(), session_id: randomUUID() };
    await disconnect(fields);
    await eventually(() => app.emulator.requests[0]?.status === 200);
    await eventually(async () => (await fetch(`${app.url}/sessions/${fields.session_id}`)).status === 200);
    expect(app.emulator.requests[0]?.aborted).toBe(false);
    const again = await ask(app, { question: fields.question });
    expect([again.answer, again.performance_metrics.cache.result]).toEqual([long(), 'hit']);
  });

  it('aborts a model call whose result is not needed', async () => {
    await app.start({ env: { FINISH_ABANDONED: 'off' } });
    await disconnect({ question: newQuestion() });
    await eventually(() => app.emulator.requests[0]?.aborted === true);
    await disconnect({ question: newQuestion() }, { 'Cache-Control': 'no-store' });
    await eventually(() => app.emulator.requests[1]?.aborted === true);
  });

  it('does not abort a model call that other callers wait for', { tags: ['long'] }, async () => {
    await app.start({ env: { FINISH_ABANDONED: 'off' } });
    const question = newQuestion();
    app.emulator.tokenDelayMs = 20;
    app.emulator.failNext({ kind: 'answer', content: long() });
    let other: Promise<Streamed> | undefined;
    let joined = false;
    await stream(
      { question },
      {
        onToken() {
          other ??= stream({ question }, { onToken: () => (joined = true) });
          return !joined;
        },
      },
    );
    expect((await other)?.tokens.join('')).toBe(long());
    expect(app.emulator.requests).toMatchObject([{ aborted: false }]);
  });

  it('is also detected for a plain answer', async () => {
    await app.start({ env: { FINISH_ABANDONED: 'off' }, emulator: { latencyMs: 5000 } });
    const caller = new AbortController();
    const asking = fetch(`${app.url}/ask`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ question: newQuestion() }),
      signal: caller.signal,
    }).catch(() => null);
    await eventually(() => app.emulator.requests.length === 1);
    caller.abort();
    await asking;
    await eventually(() => app.emulator.requests[0]?.aborted === true);
  });
});

it('a slow reader gets the whole answer and does not delay others', async () => {
  await app.start();
  const session_id = randomUUID();
  const content = `${'x'.repeat(1999)} `.repeat(400);
  app.emulator.failNext({ kind: 'answer', content });
  const body = JSON.stringify({ question: newQuestion(), stream: true, session_id });
  const request = httpRequest(`${app.url}/ask`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', Accept: 'text/event-stream' },
  });
  request.end(body);
  const response = await new Promise<import('node:http').IncomingMessage>((resolve) =>
    request.once('response', resolve),
  );
  response.pause();
  // The interaction is stored, although the caller has read hardly anything.
  await eventually(async () => (await fetch(`${app.url}/sessions/${session_id}`)).status === 200);
  expect((await ask(app, { question: newQuestion() })).status).toBe('success');
  let text = '';
  response.setEncoding('utf8');
  for await (const chunk of response) {
    text += String(chunk);
    if (text.length < 200_000) await delay(1);
  }
  expect(text).toContain('event: done');
  const tokens = [...text.matchAll(/event: token\ndata: (.*)\n/g)].map(
    ([, data]) => (JSON.parse(data ?? '') as { text: string }).text,
  );
  expect(tokens.join('')).toBe(content);
});
