/** Answers as server-sent events, read by a parser that knows nothing of us. */
import { randomUUID } from 'node:crypto';
import { request as httpRequest } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import {
  type AppOptions,
  ask,
  eventually,
  newQuestion,
  post,
  startApp,
  type TestApp,
} from '../support/app.ts';
import { type Streamed, type StreamOptions, streamFrom } from '../support/streamed.ts';

let app: TestApp;
const start = async (options?: AppOptions): Promise<void> => {
  app = await startApp(options);
};
afterEach(() => app.stop());

/** Asks the app under test; as {@link streamFrom}. */
const stream = (fields: object, options?: StreamOptions) => streamFrom(app, fields, options);

const long = (words = 60): string => Array.from({ length: words }, (_, index) => `wörd${index}💥`).join(' ');

describe('a streamed answer', () => {
  it('comes as it is made, ends with the whole answer, and is stored', async () => {
    await start();
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
    expect(tokens.length).toBeGreaterThan(20);
    expect(tokens.join('')).toBe(long());
    expect(done).toMatchObject({ answer: long(), session_id, status: 'success' });
    const metrics = done?.performance_metrics;
    expect(metrics?.tokens.completion).toBeGreaterThan(0);
    expect(metrics?.history_saved).toBe(true);
    // The first came long before the last.
    expect((times.at(-1) ?? 0) - (times[0] ?? 0)).toBeGreaterThan(100);
    expect(metrics?.timings.time_to_first_token).toBeLessThan(metrics?.timings.model ?? 0);
    expect((await ask(app, { question: 'And?', session_id })).chat_history).toHaveLength(4);
  });

  it('is asked for in the body as well, and comes at once from the cache', async () => {
    await start();
    const question = newQuestion();
    await stream({ question, stream: true }, { headers: { Accept: '*/*' } });
    const { response, tokens, done } = await stream({ question });
    expect(tokens).toEqual([done?.answer]);
    expect([response.headers.get('x-cache'), response.headers.get('age')]).toEqual(['HIT', '0']);
    expect(done?.performance_metrics.cache.result).toBe('hit');
    expect((await ask(app, { question })).performance_metrics.cache.result).toBe('hit');
    expect((await post(app, '{"question": "q", "stream": "yes"}')).status).toBe(400);
  });

  it('is shared: who asks the same later sees it from the first word, plain callers at its end', async () => {
    await start();
    app.emulator.tokenDelayMs = 15;
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

  it('waits for what was asked plainly, and then comes in one piece', async () => {
    await start({ emulator: { latencyMs: 2000 } });
    const question = newQuestion();
    const plain = ask(app, { question });
    await eventually(() => app.emulator.requests.length === 1);
    const { tokens, done } = await stream({ question });
    expect(tokens).toEqual([(await plain).answer]);
    expect(done?.performance_metrics.cache.result).toBe('coalesced');
  });

  it('is replayed for the same Idempotency-Key', async () => {
    await start();
    const fields = { question: newQuestion(), session_id: randomUUID() };
    const headers = { 'Idempotency-Key': 'k' };
    const first = await stream(fields, { headers });
    const again = await stream(fields, { headers });
    expect(again.response.headers.get('idempotency-replayed')).toBe('true');
    expect(again.tokens.join('')).toBe(first.done?.answer);
    expect(app.emulator.requests).toHaveLength(1);
  });

  it('comes 200 times at once over one connection to the model', async () => {
    await start({ emulator: { latencyMs: 20 } });
    app.emulator.tokenDelayMs = 5;
    await stream({ question: newQuestion() });
    const all = await Promise.all(Array.from({ length: 200 }, () => stream({ question: newQuestion() })));
    for (const { tokens, done } of all) expect(tokens.join('')).toBe(done?.answer);
    expect(app.emulator.sockets.filter(({ requests }) => requests > 0)).toHaveLength(1);
  });
});

describe('a failure', () => {
  it('before the first word is a plain error with its status', async () => {
    await start();
    app.emulator.failNext({ kind: 'status', status: 401 });
    expect(await stream({ question: 'q' })).toMatchObject({
      response: { status: 502 },
      error: { error: { code: 'model_misconfigured' } },
    });
    app.emulator.failNext({ kind: 'reset' });
    expect((await stream({ question: 'q' })).done?.performance_metrics.connection?.attempts).toBe(2);
  });

  it.each([
    ['break', 'model_unavailable'],
    ['stall', 'model_unavailable'],
  ] as const)(
    'in the middle (%s) is an event; half an answer is neither stored, cached nor tried again',
    async (kind, code) => {
      await start({ env: { REQUEST_TIMEOUT_SECONDS: '4' } });
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

  it('of the content filter in the middle is an event, and the turn is not stored', async () => {
    await start();
    const session_id = randomUUID();
    app.emulator.failNext({ kind: 'answer', content: long(), finishReason: 'content_filter' });
    const { names, error } = await stream({ question: 'q', session_id });
    expect(names).toEqual(['session', 'token', 'error']);
    expect(error?.error.code).toBe('content_filtered');
    expect((await ask(app, { question: 'next', session_id })).chat_history).toHaveLength(2);
  });

  it('by the deadline is an event when the answer has begun', async () => {
    await start({ env: { REQUEST_TIMEOUT_SECONDS: '1' } });
    app.emulator.tokenDelayMs = 50;
    app.emulator.failNext({ kind: 'answer', content: long(200) });
    const { names, error } = await stream({ question: 'q' });
    expect([names, error?.error.code]).toEqual([['session', 'token', 'error'], 'timeout']);
    await eventually(() => app.emulator.requests.every(({ aborted }) => aborted));
  });

  it('by the end of the process is an event', async () => {
    await start();
    app.emulator.tokenDelayMs = 100;
    app.emulator.failNext({ kind: 'answer', content: long(200) });
    let begun = false;
    const streaming = stream({ question: 'q' }, { onToken: () => (begun = true) });
    await eventually(() => begun);
    void app.host.stop();
    expect((await streaming).error?.error.code).toBe('stopping');
  });
});

/** Begins to read a long answer, and leaves. */
const leave = async (fields: object, headers?: Record<string, string>): Promise<void> => {
  app.emulator.tokenDelayMs = 20;
  app.emulator.failNext({ kind: 'answer', content: long() });
  await stream(fields, { onToken: () => false, ...(headers && { headers }) });
};

describe('a caller who leaves', () => {
  it('leaves an answer that is finished, stored and cached', async () => {
    await start();
    const fields = { question: newQuestion(), session_id: randomUUID() };
    await leave(fields);
    await eventually(() => app.emulator.requests[0]?.status === 200);
    await eventually(async () => (await fetch(`${app.url}/sessions/${fields.session_id}`)).status === 200);
    expect(app.emulator.requests[0]?.aborted).toBe(false);
    const again = await ask(app, { question: fields.question });
    expect([again.answer, again.performance_metrics.cache.result]).toEqual([long(), 'hit']);
  });

  it('ends a model call that nobody and nothing has a use for', async () => {
    await start({ env: { FINISH_ABANDONED: 'off' } });
    await leave({ question: newQuestion() });
    await eventually(() => app.emulator.requests[0]?.aborted === true);
    await leave({ question: newQuestion() }, { 'Cache-Control': 'no-store' });
    await eventually(() => app.emulator.requests[1]?.aborted === true);
  });

  it('ends no model call that others wait for', async () => {
    await start({ env: { FINISH_ABANDONED: 'off' } });
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

  it('of a plain answer is noticed too', async () => {
    await start({ env: { FINISH_ABANDONED: 'off' }, emulator: { latencyMs: 5000 } });
    const left = new AbortController();
    const asking = fetch(`${app.url}/ask`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ question: newQuestion() }),
      signal: left.signal,
    }).catch(() => null);
    await eventually(() => app.emulator.requests.length === 1);
    left.abort();
    await asking;
    await eventually(() => app.emulator.requests[0]?.aborted === true);
  });
});

it('a caller who reads slowly gets it all, and holds up nobody', async () => {
  await start();
  const content = `${'x'.repeat(1999)} `.repeat(400);
  app.emulator.failNext({ kind: 'answer', content });
  const body = JSON.stringify({ question: 'slow', stream: true, session_id: 's' });
  const request = httpRequest(`${app.url}/ask`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', Accept: 'text/event-stream' },
  });
  request.end(body);
  const response = await new Promise<import('node:http').IncomingMessage>((resolve) =>
    request.once('response', resolve),
  );
  response.pause();
  // The turn is stored, although hardly anything was read.
  await eventually(async () => (await fetch(`${app.url}/sessions/s`)).status === 200);
  expect((await ask(app, { question: 'fast' })).status).toBe('success');
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
}, 60_000);
