/** Expired answers in place of faults of the model: `CACHE_STALE_IF_ERROR_SECONDS`. */
import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, it, onTestFinished } from 'vitest';
import { startRedis } from '../../dev/stack/redis.ts';
import type { Answer } from '../../src/lib/contract/responses.ts';
import { ask, askForError, eventually, newQuestion, post, startApp, type TestApp } from '../support/app.ts';
import { useApp, useSharedApp } from '../support/fixture.ts';
import { connectClient } from '../support/mcp-client.ts';
import { streamFrom } from '../support/streamed.ts';

const STALE = { ANSWER_CACHE_TTL_SECONDS: '1', CACHE_STALE_IF_ERROR_SECONDS: '600' };
/** A little longer than the lifetime of an answer. */
const TTL_MS = 1100;
/** Fails at once: it is neither retried nor counted by the circuit breaker. */
const REFUSED = { kind: 'status', status: 401 } as const;

const signedIn = (id: string): Record<string, string> => ({
  'x-ms-client-principal-id': id,
  'x-ms-client-principal-idp': 'aad',
});
const cacheOf = ({ performance_metrics: metrics }: Answer) => metrics.cache;

/** Gives a question whose answer has expired, and the answer. */
async function expired(app: TestApp, headers: Record<string, string> = {}): Promise<[string, Answer]> {
  const question = newQuestion();
  const answer = await ask(app, { question }, headers);
  await delay(TTL_MS);
  return [question, answer];
}

/** Whether the instance is connected to Redis. */
const isConnected = async (app: TestApp): Promise<boolean> =>
  cacheOf(await ask(app, { question: newQuestion() })).result === 'miss';

/** The error of a question, as "STATUS CODE". */
async function errorOf(app: TestApp, fields: object, headers: Record<string, string> = {}): Promise<string> {
  const { status, body } = await askForError(app, fields, headers);
  return `${status} ${body.error.code}`;
}

describe('when the model fails, an expired answer', () => {
  const app = useApp({ env: { ...STALE, REQUEST_TIMEOUT_SECONDS: '4', WEBSITE_AUTH_ENABLED: 'True' } });

  it('is given and marked, and is not cached anew', async () => {
    const [question, first] = await expired(app);
    app.emulator.fault = REFUSED;
    const response = await post(app, JSON.stringify({ question, session_id: question }));
    expect([response.status, response.headers.get('x-cache')]).toEqual([200, 'STALE']);
    expect(Number(response.headers.get('age'))).toBeGreaterThanOrEqual(1);
    const { answer, chat_history, performance_metrics: metrics } = (await response.json()) as Answer;
    expect(answer).toBe(first.answer);
    expect(chat_history).toHaveLength(2);
    expect(metrics).toMatchObject({
      from_cache: true,
      model: first.performance_metrics.model,
      cache: { result: 'stale', tier: 'memory', reason: 'expired' },
      tokens: { saved: 0 },
      history_saved: true,
    });
    expect(metrics.cache.age).toBeGreaterThan(1);
    expect(app.output()).toContain('model_misconfigured: check AZURE_OPENAI_ENDPOINT');
    await eventually(() => app.output().includes('"fault":"model_misconfigured"'));
    app.emulator.fault = undefined;
    expect(cacheOf(await ask(app, { question }))).toMatchObject({ result: 'miss', reason: 'expired' });
    expect(cacheOf(await ask(app, { question }))).toMatchObject({ result: 'hit' });
  });

  it('is streamed, unless a part of the failing answer was sent', async () => {
    const [question, first] = await expired(app);
    app.emulator.failNext(REFUSED);
    const { response, names, tokens, done } = await streamFrom(app, { question });
    expect(response.headers.get('x-cache')).toBe('STALE');
    expect(Number(response.headers.get('age'))).toBeGreaterThanOrEqual(1);
    expect(names).toEqual(['session', 'token', 'done']);
    expect(tokens.join('')).toBe(first.answer);
    expect(done?.performance_metrics.cache.result).toBe('stale');

    app.emulator.failNext({ kind: 'break' });
    const broken = await streamFrom(app, { question });
    expect(broken.names).toEqual(['session', 'token', 'error']);
    expect(broken.error?.error.code).toBe('model_unavailable');
  });

  it('is given before the deadline when the model is silent', { tags: ['long'] }, async () => {
    const [question] = await expired(app);
    app.emulator.failNext({ kind: 'hang' });
    const late = await streamFrom(app, { question });
    expect(late.done?.performance_metrics).toMatchObject({ cache: { result: 'stale' }, history_saved: true });
    expect(app.output()).toContain('"fault":"timeout"');
  });

  it('is given to each of many identical questions that fail together', async () => {
    const [question] = await expired(app);
    app.emulator.reset();
    app.emulator.latencyMs = 1000;
    app.emulator.fault = REFUSED;
    const answers = await Promise.all(Array.from({ length: 5 }, () => ask(app, { question })));
    expect(new Set(answers.map((answer) => cacheOf(answer).result))).toEqual(new Set(['stale']));
    expect(app.emulator.requests).toHaveLength(1);
  });

  it('is not given when the request excludes it', async () => {
    const [question] = await expired(app);
    app.emulator.fault = REFUSED;
    const withHeader = (value: string) => errorOf(app, { question }, { 'Cache-Control': value });
    for (const header of ['no-cache', 'no-store', 'max-age=1', 'stale-if-error=0', 'stale-if-error=x'])
      expect([header, await withHeader(header)]).toEqual([header, '502 model_misconfigured']);
    expect(await withHeader('only-if-cached')).toBe('504 not_cached');
    const allowed = { 'Cache-Control': 'max-age=600, stale-if-error=600' };
    expect(cacheOf(await ask(app, { question }, allowed)).result).toBe('stale');
  });

  it('is given to its own user only', async () => {
    const [question] = await expired(app, signedIn('ann'));
    app.emulator.fault = REFUSED;
    expect(await errorOf(app, { question }, signedIn('bob'))).toBe('502 model_misconfigured');
    expect(await errorOf(app, { question })).toBe('502 model_misconfigured');
    expect(cacheOf(await ask(app, { question }, signedIn('ann'))).result).toBe('stale');
    app.emulator.fault = undefined;
    // Nothing tells a user what others have asked.
    expect(cacheOf(await ask(app, { question }, signedIn('bob'))).reason).toBe('not_found');
  });

  it('does not hide what the question has caused, or a full quota', async () => {
    const [question] = await expired(app);
    app.emulator.failNext({ kind: 'content_filter' });
    expect(await errorOf(app, { question })).toBe('422 content_filtered');
    app.emulator.failNext({ kind: 'status', status: 429, retryAfter: '60' });
    expect(await errorOf(app, { question })).toBe('429 model_rate_limited');
  });

  it(
    'is not given after DELETE /cache, even to a question that was asked before',
    { tags: ['long'] },
    async () => {
      const [question] = await expired(app);
      app.emulator.failNext({ kind: 'hang' });
      const asking = errorOf(app, { question });
      await eventually(() => app.emulator.requests.length === 2);
      await fetch(`${app.url}/cache`, {
        method: 'DELETE',
        headers: { 'x-functions-key': app.host.masterKey },
      });
      expect(await asking).toBe('504 timeout');
      app.emulator.fault = REFUSED;
      expect(await errorOf(app, { question })).toBe('502 model_misconfigured');
    },
  );

  it('is the answer to a question with an Idempotency-Key', async () => {
    const [question, first] = await expired(app);
    const fields = { question, session_id: randomUUID() };
    const key = { 'Idempotency-Key': randomUUID() };
    app.emulator.failNext(REFUSED);
    const stale = await ask(app, fields, key);
    expect([cacheOf(stale).result, stale.answer]).toEqual(['stale', first.answer]);
    const again = await post(app, JSON.stringify(fields), key);
    expect(again.headers.get('idempotency-replayed')).toBe('true');
    expect((await again.json()) as Answer).toMatchObject({
      answer: first.answer,
      chat_history: { length: 2 },
    });
  });

  it('has its marks in the OpenAI API and for agents', async () => {
    const body = { model: 'default', messages: [{ role: 'user', content: newQuestion() }] };
    const complete = () =>
      fetch(`${app.url}/v1/chat/completions`, {
        method: 'POST',
        headers: { 'Content-Type': 'application/json' },
        body: JSON.stringify(body),
      });
    const agent = await connectClient(app);
    const question = newQuestion();
    const { usage } = (await (await complete()).json()) as { usage: object };
    await agent.ask({ question });
    await delay(TTL_MS);
    app.emulator.fault = REFUSED;
    const completion = await complete();
    expect([completion.headers.get('x-cache'), Number(completion.headers.get('age')) >= 1]).toEqual([
      'STALE',
      true,
    ]);
    // That of the call whose answer it is, as for every cached answer.
    expect(await completion.json()).toMatchObject({ usage });
    const result = await agent.call('ask', { question });
    expect(result.structuredContent).toMatchObject({ cached: true, stale: true });
    expect(JSON.stringify(result.content)).toContain('stale: the model did not answer');
  });
});

describe('an expired answer', () => {
  const app = useSharedApp();

  it('is not given without the setting', async () => {
    await app.start({ env: { ANSWER_CACHE_TTL_SECONDS: '1' } });
    const [question] = await expired(app);
    app.emulator.failNext(REFUSED);
    expect(await errorOf(app, { question })).toBe('502 model_misconfigured');
    expect(cacheOf(await ask(app, { question }))).toMatchObject({ result: 'miss', reason: 'expired' });
  });

  it('is not given after the time of the setting', { tags: ['long'] }, async () => {
    await app.start({ env: { ANSWER_CACHE_TTL_SECONDS: '1', CACHE_STALE_IF_ERROR_SECONDS: '1' } });
    const [question] = await expired(app);
    await delay(1000);
    app.emulator.failNext(REFUSED);
    expect(await errorOf(app, { question })).toBe('502 model_misconfigured');
  });

  it(
    'is given when the circuit breaker is open, and counted apart from hits and savings',
    { tags: ['long'] },
    async () => {
      await app.start({ fresh: true, env: STALE });
      const [question] = await expired(app);
      app.emulator.fault = { kind: 'status', status: 500 };
      for (let count = 0; count < 3; count++)
        expect(cacheOf(await ask(app, { question })).result).toBe('stale');
      await eventually(() => app.output().includes('"fault":"circuit_open"'));
      const ready = (await (await fetch(`${app.url}/health/ready`)).json()) as { totals: object };
      expect(ready.totals).toMatchObject({
        cache: { hits: 0, misses: 4, coalesced: 0, stale: 3 },
        tokens: { saved: 0 },
      });
    },
  );

  it('is not given when its model has changed', async () => {
    await app.start({ fresh: true, env: STALE, emulator: { model: 'gpt-5-mini-2025-08-07' } });
    const [question] = await expired(app);
    app.emulator.model = 'gpt-5-mini-2026-10-01';
    await ask(app, { question: newQuestion() });
    app.emulator.failNext(REFUSED);
    expect(await errorOf(app, { question })).toBe('502 model_misconfigured');
    expect(cacheOf(await ask(app, { question })).reason).toBe('model_changed');
  });

  it('survives a restart in the cache file', { tags: ['long'] }, async () => {
    const folder = mkdtempSync(join(tmpdir(), 'ask-stale-'));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    const env = { ...STALE, ANSWER_CACHE_PATH: join(folder, 'answers.sqlite') };
    await app.start({ fresh: true, env });
    const [question] = await expired(app);
    await app.start({ fresh: true, env: { ...env, AZURE_OPENAI_ENDPOINT: app.emulator.url } });
    // The model of the first process has ended with it.
    expect(cacheOf(await ask(app, { question }))).toMatchObject({ result: 'stale', tier: 'sqlite' });
  });

  it('in Redis is given by every instance', { tags: ['redis'] }, async () => {
    const redis = await startRedis();
    onTestFinished(() => redis.kill());
    const env = { ...STALE, ANSWER_CACHE_REDIS_URL: redis.url };
    await app.start({ fresh: true, env });
    const other = await startApp({ env: { ...env, AZURE_OPENAI_ENDPOINT: app.emulator.url } });
    onTestFinished(async () => void (await other.stop()));
    for (const one of [app, other]) await eventually(() => isConnected(one));
    const [question] = await expired(app);
    app.emulator.latencyMs = 1000;
    app.emulator.fault = REFUSED;
    // One of them waits for the model call of the other.
    const answers = await Promise.all([app, other].map((one) => ask(one, { question })));
    expect(answers.map((answer) => [cacheOf(answer).result, cacheOf(answer).tier])).toEqual([
      ['stale', 'memory'],
      ['stale', 'redis'],
    ]);
  });
});
