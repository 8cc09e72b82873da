/** A deployment gets another model under the same name: Azure's `versionUpgradeOption`. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { type Emulator, startEmulator } from '../../dev/azure-openai-emulator/emulator.ts';
import { type Redis, startRedis } from '../../dev/stack/redis.ts';
import type { Answer } from '../../src/lib/contract/responses.ts';
import { ask, askForError, eventually, newQuestion, startApp, type TestApp } from '../support/app.ts';

const OLD = 'gpt-5-mini-2025-08-07';
const NEW = 'gpt-5-mini-2026-10-01';

let folder: string;
let model: Emulator;
const running: { stop?: () => Promise<unknown>; kill?: () => Promise<unknown> }[] = [];
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'ask-upgrade-'));
  model = await startEmulator({ model: OLD });
});
afterEach(async () => {
  for (const each of running.splice(0).toReversed()) await (each.stop ?? each.kill)?.();
  await model.close();
  rmSync(folder, { recursive: true, force: true });
});

/** Starts an app with the shared model, and the same cache file unless `file` names another one. */
async function start(env: Record<string, string> = {}, file = 'answers'): Promise<TestApp> {
  const app = await startApp({
    env: { AZURE_OPENAI_ENDPOINT: model.url, ANSWER_CACHE_PATH: join(folder, `${file}.sqlite`), ...env },
  });
  running.push(app);
  return app;
}

const cacheOf = ({ performance_metrics: metrics }: Answer) => [
  metrics.cache.result,
  metrics.cache.reason,
  metrics.model,
];

it('answers of the old model are not given as those of the new one', async () => {
  const app = await start();
  const question = newQuestion();
  await ask(app, { question });
  expect(cacheOf(await ask(app, { question }))).toEqual(['hit', undefined, OLD]);

  model.model = NEW;
  // No answer of the new model so far.
  expect(cacheOf(await ask(app, { question }))).toEqual(['hit', undefined, OLD]);
  expect(cacheOf(await ask(app, { question: newQuestion() }))).toEqual(['miss', 'not_found', NEW]);
  const outdated = await askForError(app, { question }, { 'Cache-Control': 'only-if-cached' });
  expect(outdated.body.error.code).toBe('not_cached');
  expect(cacheOf(await ask(app, { question }))).toEqual(['miss', 'model_changed', NEW]);
  expect(cacheOf(await ask(app, { question }))).toEqual(['hit', undefined, NEW]);
  expect(app.output()).toContain('"cache_reason":"model_changed"');
});

it('what an earlier process cached counts until the model has answered in this one', async () => {
  const question = newQuestion();
  const earlier = await start();
  await ask(earlier, { question });
  await earlier.stop();
  model.model = NEW;
  const app = await start();
  expect(cacheOf(await ask(app, { question }))).toEqual(['hit', undefined, OLD]);
  await ask(app, { question: newQuestion() });
  expect(cacheOf(await ask(app, { question }))).toEqual(['miss', 'model_changed', NEW]);
});

it('an instance gives the answers of the new model that another one stored in Redis', async () => {
  const redis: Redis = await startRedis();
  running.push(redis);
  const env = { ANSWER_CACHE_REDIS_URL: redis.url };
  const apps = [await start(env, 'one'), await start(env, 'two')] as const;
  for (const app of apps) {
    // `error` until the instance is connected to Redis.
    await eventually(async () => cacheOf(await ask(app, { question: newQuestion() }))[0] === 'miss');
  }
  const [one, two] = apps;
  const question = newQuestion();
  await ask(one, { question });
  await eventually(async () => cacheOf(await ask(two, { question }))[0] === 'hit');

  model.model = NEW;
  for (const app of apps) await ask(app, { question: newQuestion() });
  // The old answer in Redis is not taken for the answer of another instance that is asking now.
  expect(cacheOf(await ask(one, { question }))).toEqual(['miss', 'model_changed', NEW]);
  await eventually(async () => {
    const [result, , answeredBy] = cacheOf(await ask(two, { question }));
    return result === 'hit' && answeredBy === NEW;
  });
});

it('the answers of a fallback endpoint that has the old model stay in the cache', async () => {
  const fallback = await startEmulator({ apiKey: 'fallback-key', model: OLD });
  running.push({ stop: fallback.close });
  model.model = NEW;
  const app = await start({
    AZURE_OPENAI_FALLBACK_ENDPOINTS: fallback.url,
    AZURE_OPENAI_FALLBACK_API_KEYS: 'fallback-key',
  });
  await ask(app, { question: newQuestion() });
  model.failNext({ kind: 'status', status: 500 });
  const question = newQuestion();
  expect(cacheOf(await ask(app, { question }))).toEqual(['miss', 'not_found', OLD]);
  expect(cacheOf(await ask(app, { question }))).toEqual(['hit', undefined, OLD]);
});
