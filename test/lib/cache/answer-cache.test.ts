/** The cache key, and the interaction of the tiers. */
import * as fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type AnswerCache, createAnswerCache } from '../../../src/lib/cache/answer-cache.ts';
import { answerCacheKey } from '../../../src/lib/cache/cache-tier.ts';
import { type CacheTier, createMemoryTier, type TierName } from '../../../src/lib/cache/cache-tier.ts';
import { type Config, type Environment, readConfig } from '../../../src/lib/config/config.ts';
import { createHttpClient, type HttpMessage } from '../../../src/lib/pool/http-client.ts';
import { createApiClient } from '../../../src/lib/model/api-client.ts';
import { parametersOf } from '../../../src/lib/model/parameters.ts';
import { PooledChatModel } from '../../../src/lib/model/pooled-chat-model.ts';
import { buildPrompt } from '../../../src/lib/ask/prompt.ts';
import type { Message } from '../../../src/lib/model/completion.ts';
import { PendingWork } from '../../../src/lib/common/pending-work.ts';
import { scaled } from '../../support/effort.ts';

const env: Environment = {
  AZURE_OPENAI_ENDPOINT: 'https://name.openai.azure.com',
  AZURE_OPENAI_API_KEY: 'key',
  AZURE_OPENAI_CHAT_DEPLOYMENT_NAME: 'gpt-4o',
  AzureWebJobsStorage: 'UseDevelopmentStorage=true',
};

const targetOf = ({ model }: Config) => ({
  deployment: model.endpoints[0].deployment,
  parameters: parametersOf(model),
});

/** The request that would be sent to the model, as text. */
async function requestOf(config: Config, prompt: Message[]): Promise<string> {
  let sent = '';
  const http = {
    ...createHttpClient(),
    async post(url: URL, { body }: HttpMessage): Promise<never> {
      sent = `${url.href} ${body}`;
      throw new Error('not sent');
    },
  };
  const [endpoint] = config.model.endpoints;
  const client = createApiClient(config.model, endpoint, 'key', http);
  const { deployment: name, parameters } = targetOf(config);
  const model = new PooledChatModel({ api: config.model.modelApi, model: name, client, parameters });
  await expect(model.invoke(prompt)).rejects.toThrow();
  return sent;
}

const keyFor = (
  config: Config,
  messages: Message[],
  partition: string | null = null,
  generation = 0,
): string =>
  answerCacheKey(config, targetOf(config), messages, {
    generation,
    partition: partition === null ? null : { userId: partition, generation: 0 },
  });

describe('the key', () => {
  const prompt = buildPrompt('system', [{ question: 'a', answer: 'b' }], 'c');
  const key = (settings: Environment = {}, messages: Message[] = prompt, partition: string | null = null) =>
    keyFor(readConfig({ ...env, ...settings }), messages, partition);

  it('is the same for the same request', () => {
    expect(key()).toBe(key({}, buildPrompt('system', [{ question: 'a', answer: 'b' }], 'c')));
    expect(key({ AZURE_OPENAI_API_KEY: 'another' })).toBe(key());
    expect(key()).toMatch(/^answer:\d+:[\w-]{43}$/);
  });

  it.each([
    ['AZURE_OPENAI_ENDPOINT', 'https://other.openai.azure.com'],
    ['AZURE_OPENAI_ENDPOINT', 'https://name.openai.azure.com/openai/v1'],
    ['AZURE_OPENAI_API_VERSION', '2025-01-01'],
    ['AZURE_OPENAI_CHAT_DEPLOYMENT_NAME', 'gpt-4o-mini'],
    ['MODEL_TEMPERATURE', '0.5'],
    ['MODEL_MAX_OUTPUT_TOKENS', '100'],
    ['MODEL_REASONING_EFFORT', 'low'],
    ['MODEL_VERBOSITY', 'low'],
    ['MODEL_API', 'responses'],
    ['CACHE_VERSION', '2'],
  ])('changes with %s', (name, value) => {
    expect(key({ [name]: value })).not.toBe(key());
  });

  it('differs for each partition', () => {
    expect(new Set([null, 'a', 'b', ''].map((partition) => key({}, prompt, partition))).size).toBe(4);
  });

  it('differs for each generation', () => {
    const config = readConfig(env);
    expect(keyFor(config, prompt, null, 1)).not.toBe(keyFor(config, prompt, null, 0));
  });

  // Few and similar parts, so that two inputs are often almost or exactly equal.
  const text = fc.oneof(
    fc.constantFrom(
      'a',
      'A',
      'a ',
      ' a',
      'b',
      '\u00e9',
      'e\u0301',
      'ﬁ',
      'fi',
      '',
      '\u0000',
      '"],["human","a',
    ),
    fc.string({ unit: 'binary', maxLength: 3 }).filter((value) => value.isWellFormed()),
  );
  const input = fc.record({
    settings: fc.record({
      AZURE_OPENAI_ENDPOINT: fc.constantFrom(
        'https://a.openai.azure.com',
        'https://a.openai.azure.com/openai/v1',
      ),
      AZURE_OPENAI_CHAT_DEPLOYMENT_NAME: fc.constantFrom('gpt-4o', 'gpt-4'),
      MODEL_TEMPERATURE: fc.constantFrom('0', '1', ''),
      MODEL_MAX_OUTPUT_TOKENS: fc.constantFrom('', '1'),
    }),
    system: fc.constantFrom('s', 'S'),
    history: fc.array(fc.record({ question: text, answer: text }), { maxLength: 2 }),
    question: text,
  });

  it('is equal for two requests only if the model would receive the same request', async () => {
    const seen = new Map<string, string>();
    await fc.assert(
      fc.asyncProperty(input, async ({ settings, system, history, question }) => {
        const config = readConfig({ ...env, ...settings });
        const messages = buildPrompt(system, history, question);
        const request = await requestOf(config, messages);
        const own = keyFor(config, messages);
        expect(seen.get(own) ?? request).toBe(request);
        seen.set(own, request);
      }),
      { numRuns: scaled(1000, 200) },
    );
    expect(new Set(seen.values()).size).toBe(seen.size);
    // Some pairs were equal, so the comparison took place.
    expect(seen.size).toBeLessThan(1000);
  });
});

const LIFETIMES = { ttlMs: 60_000, staleIfErrorMs: 0 };
const NOT_FOUND = { result: 'miss', reason: 'not_found' };

/** A memory tier that can be made to fail. */
function fragileTier(name: TierName): CacheTier & { broken: boolean } {
  const memory = createMemoryTier(1_000_000);
  const tier = {
    name,
    broken: false,
    get: async (key: string) => (tier.broken ? Promise.reject(new Error('broken')) : memory.get(key)),
    set: async (...entry: Parameters<CacheTier['set']>) =>
      tier.broken ? Promise.reject(new Error('broken')) : memory.set(...entry),
    clear: async () => (tier.broken ? Promise.reject(new Error('broken')) : memory.clear()),
    close: () => memory.close(),
  };
  return tier;
}

const later = (ms: number): void => void vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + ms });

describe('the tiers', () => {
  const given = {
    text: 'answer',
    endpoint: 0,
    tokens: { prompt: 3, completion: 2, cached: 0, cacheWrite: 0, reasoning: 0 },
  };
  const hit = (tier: TierName) => ({ result: 'hit', tier, answer: given });
  const expiredIn = (tier: TierName) => ({
    result: 'miss',
    reason: 'expired',
    expired: { tier, answer: given },
  });
  let work: PendingWork;
  let [memory, sqlite, redis] = [fragileTier('memory'), fragileTier('sqlite'), fragileTier('redis')];
  let cache: AnswerCache;
  let warnings: string[];
  /** The model that the endpoint named last. */
  let current: string | undefined;
  const warn = (message: string): void => void warnings.push(message);
  const open = (lifetimes: Partial<typeof LIFETIMES> = {}): void => {
    cache = createAnswerCache(
      [memory, sqlite, redis],
      { ...LIFETIMES, ...lifetimes },
      { work, warn, modelOf: () => current },
    );
  };
  const store = async (): Promise<void> => {
    void cache.store('k', given);
    await work.drain(1000);
  };
  beforeEach(() => {
    work = new PendingWork();
    warnings = [];
    current = undefined;
    [memory, sqlite, redis] = [fragileTier('memory'), fragileTier('sqlite'), fragileTier('redis')];
    open();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  it('are read in order, and a hit is copied to the tiers before it', async () => {
    await store();
    await memory.clear();
    await sqlite.clear();
    expect(await cache.lookUp('k')).toMatchObject(hit('redis'));
    await work.drain(1000);
    expect(await cache.lookUp('k')).toMatchObject(hit('memory'));
    await memory.clear();
    expect(await cache.lookUp('k')).toMatchObject(hit('sqlite'));
    expect(await cache.lookUp('other')).toEqual(NOT_FOUND);
  });

  it('keep the absolute expiry of a copied answer', async () => {
    open({ ttlMs: 1000 });
    await store();
    await memory.clear();
    later(900);
    await cache.lookUp('k');
    await work.drain(1000);
    later(200);
    expect(await cache.lookUp('k')).toEqual({ result: 'miss', reason: 'expired' });
  });

  it('continue with the next tier when an answer is too old', async () => {
    await store();
    later(5000);
    const [younger, older] = [
      createAnswerCache([redis], LIFETIMES, { work, warn() {}, modelOf: () => current }),
      cache,
    ];
    await younger.store('k', given);
    await work.drain(1000);
    expect(await older.lookUp('k')).toMatchObject({
      tier: 'memory',
      ageMs: expect.closeTo(5000, -2) as number,
    });
    expect(await older.lookUp('k', { maxAgeMs: 3000 })).toMatchObject({ tier: 'redis' });
    // The younger answer has replaced the older one.
    expect(await older.lookUp('k', { maxAgeMs: 3000 })).toMatchObject({ tier: 'memory' });
    expect(await older.lookUp('k', { maxAgeMs: 0 })).toEqual({ result: 'miss', reason: 'max_age' });
  });

  it('do not give the answer of a model that the deployment no longer has', async () => {
    const [old, renewed] = [
      { ...given, model: 'gpt-5-mini-2025-08-07' },
      { ...given, text: 'new answer', model: 'gpt-5-mini-2026-10-01' },
    ];
    void cache.store('k', old);
    await work.drain(1000);
    // Before the first answer of the endpoint, nobody knows that its model has changed.
    expect(await cache.lookUp('k')).toMatchObject({ tier: 'memory', answer: old });
    current = renewed.model;
    expect(await cache.lookUp('k')).toEqual({ result: 'miss', reason: 'model_changed' });
    expect(await cache.lookUp('other')).toEqual(NOT_FOUND);
    // An instance that shares Redis stores the answer of the new model.
    await createAnswerCache([redis], LIFETIMES, { work, warn() {}, modelOf: () => current }).store(
      'k',
      renewed,
    );
    expect(await cache.lookUp('k')).toMatchObject({ tier: 'redis', answer: renewed });
    await work.drain(1000);
    // It has replaced the old answer in the faster tiers.
    expect(await cache.lookUp('k')).toMatchObject({ tier: 'memory', answer: renewed });
  });

  describe('give an expired answer for when the model fails', () => {
    beforeEach(async () => {
      open({ ttlMs: 10_000, staleIfErrorMs: 5000 });
      await store();
    });

    it('as long as the settings allow', async () => {
      later(9900);
      expect(await cache.lookUp('k')).toMatchObject(hit('memory'));
      later(200);
      expect(await cache.lookUp('k')).toMatchObject(expiredIn('memory'));
      await memory.clear();
      expect(await cache.lookUp('k')).toMatchObject(expiredIn('sqlite'));
      // It is not copied, and so never stored anew.
      expect(await memory.get('k')).toBeUndefined();
      later(5000);
      expect(await cache.lookUp('k')).toEqual({ result: 'miss', reason: 'expired' });
    });

    it('within the limits of the request', async () => {
      later(12_000);
      expect(await cache.lookUp('k', { staleIfErrorMs: 3000 })).toMatchObject(expiredIn('memory'));
      expect(await cache.lookUp('k', { staleIfErrorMs: 1000 })).toEqual({
        result: 'miss',
        reason: 'expired',
      });
      expect(await cache.lookUp('k', { maxAgeMs: 13_000 })).toMatchObject(expiredIn('memory'));
      expect(await cache.lookUp('k', { maxAgeMs: 11_000 })).toEqual({ result: 'miss', reason: 'expired' });
    });

    it('not after the settings have turned it off', async () => {
      open({ ttlMs: 10_000 });
      later(11_000);
      expect(await cache.lookUp('k')).toEqual({ result: 'miss', reason: 'expired' });
    });

    it('not of another model, and not after it was cleared', async () => {
      const other = { ...given, model: 'gpt-5-mini-2025-08-07' };
      void cache.store('k', other);
      await work.drain(1000);
      later(11_000);
      current = 'gpt-5-mini-2026-10-01';
      expect(await cache.lookUp('k')).toEqual({ result: 'miss', reason: 'model_changed' });
      await cache.clear();
      expect(await cache.lookUp('k')).toEqual(NOT_FOUND);
    });

    it('the youngest one, and a fresh one of a slower tier first', async () => {
      later(3000);
      const lifetimes = { ttlMs: 10_000, staleIfErrorMs: 5000 };
      const other = createAnswerCache([redis], lifetimes, { work, warn() {}, modelOf: () => current });
      await other.store('k', { ...given, text: 'younger' });
      later(8000);
      expect(await cache.lookUp('k')).toMatchObject({ tier: 'redis', answer: { text: 'younger' } });
      await work.drain(1000);
      await sqlite.clear();
      later(3000);
      expect(await cache.lookUp('k')).toMatchObject({ expired: { answer: { text: 'younger' } } });
    });

    it('even when a tier fails', async () => {
      later(11_000);
      redis.broken = true;
      expect(await cache.lookUp('k')).toMatchObject({ ...expiredIn('memory'), result: 'error' });
    });
  });

  it('give answers without the name of a model', async () => {
    current = 'gpt-5-mini-2026-10-01';
    await store();
    expect(await cache.lookUp('k')).toMatchObject(hit('memory'));
  });

  it('never report a negative age, even when clocks differ', async () => {
    await store();
    later(-10_000);
    expect(await cache.lookUp('k')).toMatchObject({ ageMs: 0 });
  });

  it('may fail individually: the result is an error only when no other tier has the answer', async () => {
    await store();
    await memory.clear();
    sqlite.broken = true;
    expect(await cache.lookUp('k')).toMatchObject(hit('redis'));
    expect(await cache.lookUp('other')).toEqual({ result: 'error' });
    await work.drain(1000);
    expect(cache.writes.failed).toBe(1);
    expect(cache.writes.done).toBe(2);
  });

  it('count each failed write, and log it once a minute', async () => {
    sqlite.broken = true;
    for (let count = 0; count < 3; count++) await store();
    expect(cache.writes).toEqual({ done: 3, failed: 3 });
    expect(warnings).toEqual([expect.stringContaining('not kept in sqlite')]);
  });

  it('are cleared, and those that could not be cleared are returned', async () => {
    await store();
    expect(await cache.clear()).toEqual([]);
    expect(await cache.lookUp('k')).toEqual(NOT_FOUND);
    await store();
    redis.broken = true;
    expect(await cache.clear()).toEqual(['redis']);
    expect(await memory.get('k')).toBeUndefined();
  });
});
