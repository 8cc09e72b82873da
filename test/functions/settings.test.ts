/** Settings of a running app: accepted values work, and invalid ones are named. */
import { randomUUID } from 'node:crypto';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Environment } from '../../src/lib/config/config.ts';
import { ask, askForError, eventually, type TestApp } from '../support/app.ts';
import { sampled, scaled } from '../support/effort.ts';
import { useFreshApp } from '../support/fixture.ts';

const app = useFreshApp();

const number = (min: number, max: number) =>
  fc.oneof(fc.integer({ min, max }), fc.double({ min, max, noNaN: true })).map(String);
const integer = (min: number, max: number) => fc.integer({ min, max }).map(String);
const positive = integer(1, Number.MAX_SAFE_INTEGER);

/** The accepted range of each number. Shorter time limits would fail on a slow test machine. */
const NUMBERS = fc.record({
  REQUEST_TIMEOUT_SECONDS: number(5, 220),
  ANSWER_CACHE_MAX_MB: number(1, 100_000),
  ANSWER_CACHE_TTL_SECONDS: integer(0, 315_360_000),
  KEEP_WARM_MINUTES: number(0, 1440),
  SESSION_TTL_DAYS: number(1, 3650),
  HISTORY_MAX_INTERACTIONS: integer(1, 500),
  HISTORY_MAX_TOKENS: integer(0, Number.MAX_SAFE_INTEGER),
  MAX_QUESTION_CHARS: integer(100, 1_000_000),
  MODEL_MAX_CONCURRENCY: positive,
  MODEL_PRICES: fc
    .record({
      input: number(0, 1e6),
      cached_input: number(0, 1e6),
      output: number(0, 1e6),
      cache_write: number(0, 1e6),
      long_context_tokens: positive,
    })
    .map((prices) =>
      Object.entries(prices)
        .map((entry) => entry.join('='))
        .join(),
    ),
});

describe('numbers', () => {
  const UNUSUAL: Environment[] = [
    { SESSION_TTL_DAYS: '1.0000001' },
    { REQUEST_TIMEOUT_SECONDS: '33.333' },
    { ANSWER_CACHE_MAX_MB: '1.3' },
    { ANSWER_CACHE_TTL_SECONDS: '315360000' },
  ];
  it.each(sampled(UNUSUAL))('%o gives an app that answers, remembers and caches', async (env) => {
    await app.start({ env });
    await expectAnswers(app);
  });

  it('all accepted values give an app that answers and remembers', { timeout: 240_000 }, async () => {
    await fc.assert(
      fc.asyncProperty(NUMBERS, async (env) => {
        await app.start({ env });
        try {
          await expectAnswers(app);
        } finally {
          await app.stop();
        }
      }),
      // Shrinking a failing example would start the app a hundred times.
      { numRuns: scaled(8, 1), endOnFailure: true },
    );
  });
});

async function expectAnswers(running: TestApp): Promise<void> {
  const session_id = randomUUID();
  await ask(running, { question: randomUUID(), session_id });
  const second = await ask(running, { question: 'And Spain?', session_id });
  expect(second.performance_metrics).toMatchObject({ history_available: true, history_saved: true });
}

describe('the address of the model', () => {
  // learn.microsoft.com/azure/ai-foundry/openai/reference. Portals show the full address of an operation.
  it.each(
    sampled(
      [
        '/openai/deployments/gpt-4o/chat/completions?api-version=2025-01-01-preview',
        '/openai/deployments/gpt-4o/',
        '/openai/',
        '/openai/responses?api-version=2025-04-01-preview',
        '/openai/v1/chat/completions',
        '/openai/v1/responses',
        '/openai/v1/?api-version=preview',
      ],
      2,
    ),
  )('can be any address that a portal shows: %s', async (path) => {
    await app.start({
      modelPath: path,
      env: { AZURE_OPENAI_CHAT_DEPLOYMENT_NAME: path.includes('deployments') ? undefined : 'gpt-4o' },
    });
    expect((await ask(app, { question: 'What is the capital of France?' })).answer).toContain('Paris');
    const [request] = app.emulator.requests;
    const version = /api-version=(\d.*)/.exec(path)?.[1] ?? (path.includes('v1') ? '' : '2024-10-21');
    expect(request).toMatchObject({ deployment: 'gpt-4o', status: 200, apiVersion: version });
  });

  it('is named in the log with the error when the host does not exist', async () => {
    await app.start({ env: { AZURE_OPENAI_ENDPOINT: 'https://no-such-name.invalid' } });
    const failed = await askForError(app, { question: randomUUID() });
    expect(failed).toMatchObject({ status: 502, body: { error: { code: 'model_unavailable' } } });
    await eventually(() => /AZURE_OPENAI_ENDPOINT.*(ENOTFOUND|EAI_AGAIN)/.test(app?.output() ?? ''));
    expect(JSON.stringify(failed.body)).not.toContain('invalid');
  });
});

describe('a wrong setting', () => {
  it.each<[string, Environment]>(
    sampled([
      ['AZURE_OPENAI_API_KEY', { AZURE_OPENAI_API_KEY: 'secret\u0007key' }],
      ['AZURE_OPENAI_API_KEY', { AZURE_OPENAI_API_KEY: 'secret\u2013key' }],
      ['AzureWebJobsStorage', { AzureWebJobsStorage: 'DefaultEndpointsProtocol=https;AccountName=name' }],
      [
        'AzureWebJobsStorage',
        { AzureWebJobsStorage: 'TableEndpoint=name.table.core.windows.net;SharedAccessSignature=secret' },
      ],
    ]),
  )('is refused by name and without its value: %s', async (name, env) => {
    await app.start({ env });
    const failed = await askForError(app, { question: randomUUID() });
    expect(failed).toMatchObject({ status: 500, body: { error: { code: 'misconfigured' } } });
    expect(app.output()).toMatch(new RegExp(`misconfigured: .*${name}`));
    expect(app.output()).not.toContain('secret');
  });

  it.each(
    sampled([
      'redis://:secret%zz@localhost:6379',
      'redis://localhost:6379/secret',
      'name.redis.cache.windows.net:6380,password=secret,ssl=True,abortConnect=False',
    ]),
  )('for Redis does not affect questions: %s', async (ANSWER_CACHE_REDIS_URL) => {
    await app.start({ env: { ANSWER_CACHE_REDIS_URL } });
    await expectAnswers(app);
    expect(app.output().match(/ANSWER_CACHE_REDIS_URL/g)).toHaveLength(1);
    expect(app.output()).not.toContain('secret');
  });

  it('with a similar name is reported once, with the right name', async () => {
    await app.start({ env: { SYSTEM_PROMT: 'Answer in French.' } });
    await expectAnswers(app);
    expect(app.output().match(/SYSTEM_PROMT .*SYSTEM_PROMPT/g)).toHaveLength(1);
    expect(app.output()).not.toContain('French');
  });
});
