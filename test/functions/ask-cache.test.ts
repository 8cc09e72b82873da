/** The answer cache as callers see it: coalesced model calls, `Cache-Control`, clearing, and sharing. */
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import type { PerformanceMetrics } from '../../src/lib/contract/metrics.ts';
import { ask, askForError, eventually, newQuestion, post, startApp, type TestApp } from '../support/app.ts';
import { startStorageProxy } from '../support/storage-proxy.ts';
import { type Redis, startRedis } from '../../dev/stack/redis.ts';
import { useSharedApp } from '../support/fixture.ts';

const app = useSharedApp();

const cacheOf = async (question: string, cacheControl = ''): Promise<PerformanceMetrics['cache']> =>
  (await ask(app, { question }, { 'Cache-Control': cacheControl })).performance_metrics.cache;
const reasonOf = async (question: string, cacheControl = ''): Promise<[string, string | undefined]> => {
  const { result, reason } = await cacheOf(question, cacheControl);
  return [result, reason];
};
const signedIn = (id: string): Record<string, string> => ({
  'x-ms-client-principal': Buffer.from('{"auth_typ":"aad","claims":[]}').toString('base64'),
  'x-ms-client-principal-id': id,
  'x-ms-client-principal-name': `${id}@example.com`,
  'x-ms-client-principal-idp': 'aad',
});

const askAs = async (id: string, question: string) =>
  (await ask(app, { question }, signedIn(id))).performance_metrics.cache.result;
const clear = (headers: Record<string, string> = {}, method = 'DELETE'): Promise<Response> =>
  fetch(`${app.url}/cache`, { method, headers });

/** More take longer to arrive on a busy machine than the model takes to answer. */
const COUNT = 50;

describe('many identical concurrent questions', () => {
  it('share one model call, and each caller has its own session', async () => {
    // Long enough for all of them to arrive.
    await app.start({ fresh: true, emulator: { latencyMs: 1500 } });
    const question = newQuestion();
    const answers = await Promise.all(
      Array.from({ length: COUNT }, (_, index) => ask(app, { question, session_id: `${question} ${index}` })),
    );
    expect(app.emulator.requests).toHaveLength(1);
    expect(new Set(answers.map((answer) => answer.answer)).size).toBe(1);
    expect(new Set(answers.map((answer) => answer.session_id)).size).toBe(COUNT);
    const results = answers.map(({ performance_metrics: metrics }) => metrics.cache.result);
    expect(results.filter((result) => result === 'miss')).toHaveLength(1);
    const follower = answers[results.indexOf('coalesced')]?.performance_metrics;
    expect(follower).toMatchObject({
      from_cache: true,
      api_call_time: 0,
      connection: null,
      history_saved: true,
    });
    expect(follower?.timings.model).toBeGreaterThan(0);
    expect(follower?.tokens).toMatchObject({ prompt: 0, completion: 0 });
    expect(follower?.tokens.saved).toBeGreaterThan(0);
    expect(answers[0]?.performance_metrics.connection_stats.total_requests).toBe(1);
    const next = await ask(app, { question: 'And now?', session_id: `${question} 0` });
    expect(next.chat_history).toHaveLength(4);
  });

  it('share the failure of the model call, which is not repeated', { tags: ['long'] }, async () => {
    await app.start({ emulator: { latencyMs: 4000 } });
    app.emulator.failNext({ kind: 'content_filter' });
    const question = newQuestion();
    const failed = await Promise.all(Array.from({ length: COUNT }, () => askForError(app, { question })));
    expect(new Set(failed.map(({ status, body }) => `${status} ${body.error.code}`))).toEqual(
      new Set(['422 content_filtered']),
    );
    expect(app.emulator.requests).toHaveLength(1);
    expect(await cacheOf(question)).toMatchObject({ result: 'miss' });
  });

  it('continue when the first question fails', { tags: ['long'] }, async () => {
    // Resetting its conversation fails only after a while, because the storage does not respond.
    const proxy = await startStorageProxy();
    onTestFinished(() => proxy.close());
    await app.start({
      fresh: true,
      env: { SESSIONS_STORAGE: proxy.connectionString },
      emulator: { latencyMs: 8000 },
    });
    proxy.failNext('query', 'hold', 10);
    const question = newQuestion();
    const first = askForError(app, { question, session_id: randomUUID(), new_conversation: true });
    await eventually(() => app.emulator.requests.length === 1);
    const second = await ask(app, { question });
    expect((await first).body.error.code).toBe('history_unavailable');
    expect(second.performance_metrics.cache.result).toBe('coalesced');
    expect(app.emulator.requests).toMatchObject([{ status: 200, aborted: false }]);
  });

  it('continue beyond the deadline of the first question', { tags: ['long'] }, async () => {
    // The answer comes after the deadline of the first question.
    await app.start({ fresh: true, env: { REQUEST_TIMEOUT_SECONDS: '4' }, emulator: { latencyMs: 5000 } });
    const question = newQuestion();
    const first = askForError(app, { question });
    await delay(2000);
    const second = ask(app, { question });
    expect((await first).body.error.code).toBe('timeout');
    expect((await second).performance_metrics.cache.result).toBe('coalesced');
    expect(app.emulator.requests).toHaveLength(1);
  });

  it('are not coalesced with a Cache-Control that excludes it', { tags: ['long'] }, async () => {
    await app.start({ emulator: { latencyMs: 3000 } });
    const question = newQuestion();
    const first = cacheOf(question);
    await eventually(() => app.emulator.requests.length === 1);
    const others = ['no-cache', 'no-store', 'max-age=0'].map((header) => cacheOf(question, header));
    const results = await Promise.all([first, ...others]);
    expect(results.map(({ result }) => result)).toEqual(['miss', 'bypass', 'bypass', 'coalesced']);
    expect(app.emulator.requests).toHaveLength(3);
  });
});

describe('Cache-Control', () => {
  it('no-cache calls the model and stores its answer', async () => {
    await app.start();
    const question = newQuestion();
    await cacheOf(question);
    await delay(1100);
    const begun = Date.now();
    expect(await cacheOf(question, 'max-age=60, No-Cache')).toMatchObject({ result: 'bypass' });
    expect(app.emulator.requests).toHaveLength(2);
    const again = await post(app, JSON.stringify({ question }));
    expect(again.headers.get('x-cache')).toBe('HIT');
    // Younger than the first answer.
    expect(1000 * Number(again.headers.get('age'))).toBeLessThanOrEqual(Date.now() - begun);
  });

  it('no-store calls the model and stores nothing', async () => {
    await app.start();
    const question = newQuestion();
    const response = await post(app, JSON.stringify({ question }), { 'Cache-Control': 'no-store' });
    expect(response.headers.get('x-cache')).toBe('BYPASS');
    expect(await cacheOf(question)).toMatchObject({ result: 'miss' });
  });

  it('max-age accepts only a younger answer, and Age gives the age', { tags: ['long'] }, async () => {
    await app.start();
    const question = newQuestion();
    const first = await post(app, JSON.stringify({ question }));
    expect(first.headers.get('age')).toBeNull();
    await delay(1200);
    const hit = await post(app, JSON.stringify({ question }), { 'Cache-Control': 'max-age=60' });
    expect(Number(hit.headers.get('age'))).toBeGreaterThanOrEqual(1);
    expect(await cacheOf(question, 'max-age=1')).toMatchObject({ result: 'miss' });
    expect(await cacheOf(question, 'max-age=60')).toMatchObject({ result: 'hit' });
    expect(await cacheOf(question, 'max-age=soon')).toMatchObject({ result: 'miss' });
  });

  it('only-if-cached returns a cached answer or 504, and changes nothing', { tags: ['long'] }, async () => {
    await app.start({ emulator: { latencyMs: 3000 } });
    const only = { 'Cache-Control': 'only-if-cached' };
    const session_id = randomUUID();
    await ask(app, { question: 'My name is Ida.', session_id });
    const question = newQuestion();
    const asking = ask(app, { question });
    await eventually(() => app.emulator.requests.length === 2);
    for (const fields of [{ question }, { question, session_id, new_conversation: true }]) {
      expect(await askForError(app, fields, only)).toMatchObject({
        status: 504,
        body: { error: { code: 'not_cached' } },
      });
    }
    await asking;
    expect((await ask(app, { question }, only)).performance_metrics.cache.result).toBe('hit');
    expect(app.emulator.requests).toHaveLength(2);
    const kept = await ask(app, { question: 'What is my name?', session_id });
    expect(kept.answer).toContain('Ida');
    // A cached answer is returned as usual, and the new conversation begins.
    const begun = await ask(app, { question, session_id, new_conversation: true }, only);
    expect(begun.chat_history).toHaveLength(2);
  });
});

describe('cache.reason', () => {
  it('says why there is no cached answer', async () => {
    await app.start();
    const question = newQuestion();
    expect(await reasonOf(question)).toEqual(['miss', 'not_found']);
    expect(await reasonOf(question)).toEqual(['hit', undefined]);
    expect(await reasonOf(question, 'max-age=0')).toEqual(['miss', 'max_age']);
    expect(await reasonOf(question, 'no-cache')).toEqual(['bypass', 'no_cache']);
    expect(await reasonOf(question, 'no-store')).toEqual(['bypass', 'no_store']);
    await eventually(() => app.output().includes('"cache_reason":"no_store"'));
  });

  it('says that there is no cache', async () => {
    await app.start({ env: { ANSWER_CACHE_TTL_SECONDS: '0' } });
    expect(await reasonOf(newQuestion())).toEqual(['bypass', 'off']);
    expect(await reasonOf(newQuestion(), 'no-cache')).toEqual(['bypass', 'off']);
  });
});

describe('DELETE /cache', () => {
  it('clears the tiers and lists them', async () => {
    await app.start({ fresh: true });
    const question = newQuestion();
    await cacheOf(question);
    const cleared = await clear();
    expect(cleared.status).toBe(200);
    expect(await cleared.json()).toMatchObject({ cleared: ['memory', 'sqlite'] });
    expect(await cacheOf(question)).toMatchObject({ result: 'miss' });
    expect((await clear({}, 'GET')).headers.get('allow')).toBe('DELETE');
  });

  it('requires the admin key', async () => {
    await app.start({ enableAuth: true });
    expect((await clear()).status).toBe(401);
    expect((await clear({ 'x-functions-key': app.host.functionKey })).status).toBe(403);
    expect((await clear({ 'x-functions-key': app.host.masterKey })).status).toBe(200);
  });
});

describe('signed-in users', () => {
  it('do not share answers', async () => {
    await app.start({ env: { WEBSITE_AUTH_ENABLED: 'True' } });
    const question = newQuestion();
    expect(await askAs('ann', question)).toBe('miss');
    expect(await askAs('bob', question)).toBe('miss');
    expect(await askAs('ann', question)).toBe('hit');
    expect(await cacheOf(question)).toMatchObject({ result: 'miss' });
  });

  it('share answers with CACHE_PARTITION=none', async () => {
    await app.start({ env: { CACHE_PARTITION: 'none', WEBSITE_AUTH_ENABLED: 'True' } });
    const question = newQuestion();
    expect(await askAs('ann', question)).toBe('miss');
    expect(await askAs('bob', question)).toBe('hit');
  });

  it('are recognized only when App Service authentication is on', async () => {
    await app.start({ fresh: true, env: { CACHE_PARTITION: 'user' } });
    const question = newQuestion();
    expect(await askAs('ann', question)).toBe('miss');
    expect(await askAs('bob', question)).toBe('hit');
  });
});

describe('several processes', () => {
  it('share one cache file', { tags: ['long'] }, async () => {
    const folder = mkdtempSync(join(tmpdir(), 'ask-shared-'));
    const env = { ANSWER_CACHE_PATH: join(folder, 'answers.sqlite') };
    await app.start({ fresh: true, env });
    const shared = { ...env, AZURE_OPENAI_ENDPOINT: app.emulator.url };
    const others = await Promise.all([1, 2, 3].map(() => startApp({ env: shared })));
    const all = [app, ...others];
    try {
      const questions = all.map(() => Array.from({ length: 25 }, newQuestion));
      await Promise.all(
        all.flatMap((one, index) => (questions[index] ?? []).map((question) => ask(one, { question }))),
      );
      await eventually(async () => {
        const totals = await Promise.all(all.map((one) => totalsOf(one)));
        return totals.every((each) => endedWrites(each) === 25);
      });
      for (const one of all) {
        const metrics = await Promise.all(
          questions.flat().map(async (question) => (await ask(one, { question })).performance_metrics.cache),
        );
        expect(metrics.filter(({ result }) => result !== 'hit')).toEqual([]);
        expect(metrics.filter(({ tier }) => tier === 'sqlite')).toHaveLength(75);
      }
    } finally {
      await Promise.all(others.map((other) => other.stop()));
      rmSync(folder, { recursive: true, force: true });
    }
  });
});

describe('Redis', { tags: ['redis'] }, () => {
  let redis: Redis;
  beforeEach(async () => {
    redis = await startRedis();
  });
  afterEach(() => redis.kill());

  it('is shared by several processes, which work without it', async () => {
    const env = { ANSWER_CACHE_REDIS_URL: redis.url };
    await app.start({ fresh: true, env });
    const other = await startApp({ env: { ...env, AZURE_OPENAI_ENDPOINT: app.emulator.url } });
    try {
      await eventually(async () => (await cacheOf(newQuestion())).result === 'miss');
      let question = '';
      // On a busy machine a write may take too long; it is not repeated.
      await eventually(async () => {
        question = newQuestion();
        const before = endedWrites(await totalsOf(app));
        await cacheOf(question);
        await eventually(async () => endedWrites(await totalsOf(app)) > before);
        return (await post(other, JSON.stringify({ question }), { 'Cache-Control': 'only-if-cached' })).ok;
      });
      const { performance_metrics: metrics } = await ask(other, { question });
      expect(metrics.cache).toMatchObject({ result: 'hit', tier: 'memory' });
      await redis.kill();
      expect(await cacheOf(question)).toMatchObject({ result: 'hit', tier: 'memory' });
      expect(await cacheOf(newQuestion())).toMatchObject({ result: 'error' });
      const refused = await clear();
      expect(refused.status).toBe(503);
      expect(await refused.json()).toMatchObject({ error: { code: 'cache_not_cleared' } });
      expect(app.output()).not.toContain(redis.url);
    } finally {
      await other.stop();
    }
  });

  it('that hangs delays at most one question', { tags: ['posix'] }, async () => {
    await app.start({ fresh: true, env: { ANSWER_CACHE_REDIS_URL: redis.url } });
    await eventually(async () => (await cacheOf(newQuestion())).result === 'miss');
    // On a busy machine, the first connection may have been too slow too.
    app.reset();
    redis.process.kill('SIGSTOP');
    for (let count = 0; count < 3; count++) {
      const { performance_metrics: metrics } = await ask(app, { question: newQuestion() });
      expect(metrics.cache.result).toBe('error');
    }
    expect(app.output().match(/not used for now/g)).toHaveLength(1);
    redis.process.kill('SIGCONT');
    await eventually(async () => (await cacheOf(newQuestion())).result === 'miss');
  });
});

it(
  'pending cache writes are completed when SIGTERM ends the process',
  { tags: ['long', 'posix'] },
  async () => {
    const folder = mkdtempSync(join(tmpdir(), 'ask-sigterm-'));
    const env = { ANSWER_CACHE_PATH: join(folder, 'answers.sqlite') };
    await app.start({ fresh: true, env });
    const questions = Array.from({ length: 40 }, newQuestion);
    await Promise.all(questions.map((question) => ask(app, { question })));
    const exited = once(app.host.process, 'exit');
    app.host.process.kill('SIGTERM');
    await exited;
    const again = await startApp({ env: { ...env, AZURE_OPENAI_ENDPOINT: app.emulator.url } });
    try {
      for (const question of questions) {
        const { performance_metrics: metrics } = await ask(again, { question });
        expect(metrics.cache).toMatchObject({ result: 'hit', tier: 'sqlite' });
      }
    } finally {
      await again.stop();
      rmSync(folder, { recursive: true, force: true });
    }
  },
);

it('the totals of a process include the savings of the cache', async () => {
  await app.start({ fresh: true });
  const question = newQuestion();
  const uncached = await ask(app, { question });
  await cacheOf(question);
  const { prompt, completion } = uncached.performance_metrics.tokens;
  await eventually(async () => (await totalsOf(app)).background_writes.done === 1);
  expect(await totalsOf(app)).toEqual({
    model_calls: 1,
    cache: { hits: 1, misses: 1, coalesced: 0, stale: 0, errors: 0 },
    tokens: { prompt, completion, cached: 0, cache_write: 0, reasoning: 0, saved: prompt + completion },
    background_writes: { done: 1, failed: 0 },
  });
});

interface Totals {
  background_writes: { done: number; failed: number };
}

const endedWrites = ({ background_writes: { done, failed } }: Totals): number => done + failed;

async function totalsOf(one: TestApp): Promise<Totals> {
  const ready = await fetch(`${one.url}/health/ready`);
  return ((await ready.json()) as { totals: Totals }).totals;
}
