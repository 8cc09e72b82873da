/** The key of an answer, and the tiers that keep it. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { answerCacheKey, createAnswerCache } from '../../src/lib/answer-cache.ts';
import { type Config, type Environment, readConfig } from '../../src/lib/config.ts';
import { buildPrompt, type Message } from '../../src/lib/prompt.ts';
import { WorkUnderWay } from '../../src/lib/work.ts';

const env: Environment = {
  AZURE_OPENAI_ENDPOINT: 'https://name.openai.azure.com',
  AZURE_OPENAI_API_KEY: 'key',
  AZURE_OPENAI_CHAT_DEPLOYMENT_NAME: 'gpt-4o',
  AzureWebJobsStorage: 'UseDevelopmentStorage=true',
};

describe('the key', () => {
  const prompt = buildPrompt('system', [{ question: 'a', answer: 'b' }], 'c');
  const key = (settings: Environment = {}, messages: Message[] = prompt) =>
    answerCacheKey(readConfig({ ...env, ...settings }), messages);

  it('is the same for the same request', () => {
    expect(key()).toBe(key({}, buildPrompt('system', [{ question: 'a', answer: 'b' }], 'c')));
    expect(key({ AZURE_OPENAI_API_KEY: 'another' })).toBe(key());
  });

  it.each([
    ['AZURE_OPENAI_ENDPOINT', 'https://other.openai.azure.com'],
    ['AZURE_OPENAI_API_VERSION', '2025-01-01'],
    ['AZURE_OPENAI_CHAT_DEPLOYMENT_NAME', 'gpt-4o-mini'],
    ['MODEL_TEMPERATURE', '0.5'],
    ['MODEL_MAX_OUTPUT_TOKENS', '100'],
    ['CACHE_VERSION', '2'],
  ])('changes with %s', (name, value) => {
    expect(key({ [name]: value })).not.toBe(key());
  });

  it('changes with every part of the prompt, and does not confuse where one ends', () => {
    const prompts: Message[][] = [
      prompt,
      buildPrompt('System', [{ question: 'a', answer: 'b' }], 'c'),
      buildPrompt('system', [], 'c'),
      buildPrompt('system', [{ question: 'a', answer: 'b' }], 'C'),
      buildPrompt('system', [{ question: 'a', answer: 'b' }], 'c '),
      buildPrompt('system', [{ question: 'ab', answer: '' }], 'c'),
      buildPrompt('system', [{ question: 'b', answer: 'a' }], 'c'),
      buildPrompt('system', [], 'a","b"],["human","c'),
      buildPrompt('system', [], '\u00e9'),
      buildPrompt('system', [], 'e\u0301'),
    ];
    expect(new Set(prompts.map((messages) => key({}, messages))).size).toBe(prompts.length);
  });
});

describe('the tiers', () => {
  const tokens = { prompt: 3, completion: 2, cached: 0 };
  let folder: string;
  let work: WorkUnderWay;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'ask-cache-'));
    work = new WorkUnderWay();
  });
  afterEach(() => {
    vi.useRealTimers();
    rmSync(folder, { recursive: true, force: true });
  });
  const open = (settings: Partial<Config['cache']> = {}) =>
    createAnswerCache(
      { path: join(folder, 'answers.sqlite'), ttlMs: 60_000, version: '1', ...settings },
      work,
      () => {},
    );

  it('find what was stored, and nothing else', async () => {
    const cache = open();
    cache.store('k', { text: 'answer', tokens });
    expect(await cache.lookUp('k')).toMatchObject({
      result: 'hit',
      tier: 'memory',
      answer: { text: 'answer', tokens },
    });
    expect(await cache.lookUp('other')).toEqual({ result: 'miss' });
    await cache.close();
  });

  it('share a file: one cache finds what another stored, first in SQLite, then in memory', async () => {
    const [writer, reader] = [open(), open()];
    expect(await reader.lookUp('k')).toEqual({ result: 'miss' });
    writer.store('k', { text: 'a\u0000💥', tokens });
    expect(await work.drain(5000)).toBe(true);
    expect(await reader.lookUp('k')).toMatchObject({
      result: 'hit',
      tier: 'sqlite',
      answer: { text: 'a\u0000💥' },
    });
    expect(await reader.lookUp('k')).toMatchObject({ result: 'hit', tier: 'memory' });
    await Promise.all([writer.close(), reader.close()]);
  });

  it('forget at the absolute expiry, in memory, in SQLite and after promotion', async () => {
    const [writer, reader] = [open({ ttlMs: 1000 }), open({ ttlMs: 1000 })];
    writer.store('k', { text: 'answer', tokens });
    await work.drain(5000);
    expect(await reader.lookUp('k')).toMatchObject({ result: 'hit', tier: 'sqlite' });
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 1001 });
    for (const cache of [writer, reader, open()]) expect(await cache.lookUp('k')).toEqual({ result: 'miss' });
    await Promise.all([writer.close(), reader.close()]);
  });

  it('make a file with the settings that keep it fast and bounded', async () => {
    const cache = open();
    await cache.lookUp('k');
    const database = new DatabaseSync(join(folder, 'answers.sqlite'), { readOnly: true });
    expect(database.prepare('PRAGMA page_size').get()).toEqual({ page_size: 8192 });
    expect(database.prepare('PRAGMA journal_mode').get()).toEqual({ journal_mode: 'wal' });
    database.close();
    await cache.close();
  });

  it('go on without a file that cannot be opened: error is reported, memory serves', async () => {
    const warnings: string[] = [];
    const cache = createAnswerCache({ path: folder, ttlMs: 60_000, version: '1' }, work, (text) =>
      warnings.push(text),
    );
    expect(await cache.lookUp('k')).toEqual({ result: 'error' });
    cache.store('k', { text: 'answer', tokens });
    expect(await cache.lookUp('k')).toMatchObject({ result: 'hit', tier: 'memory' });
    expect(warnings).toHaveLength(1);
    await cache.close();
  });

  it('count a write that another process kept from happening', async () => {
    const cache = open();
    await cache.lookUp('k');
    const other = new DatabaseSync(join(folder, 'answers.sqlite'));
    other.exec('BEGIN IMMEDIATE');
    cache.store('k', { text: 'answer', tokens });
    await work.drain(5000);
    expect(cache.failedWrites).toBe(1);
    other.exec('ROLLBACK');
    other.close();
    await cache.close();
  });
});
