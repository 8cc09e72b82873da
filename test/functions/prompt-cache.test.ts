/** The prompt cache of the provider: the key of a session, stable beginnings of prompts, what is billed, and what it saves. */
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { EmulatorOptions } from '../../dev/azure-openai-emulator/emulator.ts';
import { startReceiver } from '../../dev/stack/telemetry-receiver.ts';
import { root } from '../../dev/stack/root.ts';
import type { Answer } from '../../src/lib/contract/responses.ts';
import { ask, newQuestion, startApp } from '../support/app.ts';
import { named, spansOf, valuesOf } from '../support/otlp.ts';
import { useSharedApp } from '../support/fixture.ts';

const app = useSharedApp();

/** Starts an app that uses the v1 API, which has the parameter. */
async function start(env: Record<string, string> = {}, emulator?: EmulatorOptions): Promise<void> {
  await app.start({
    fresh: emulator !== undefined,
    ...(emulator && { emulator }),
    modelPath: '/openai/v1/',
    env,
  });
}

const keys = (): unknown[] => app.emulator.requests.map(({ body }) => body['prompt_cache_key']);
/** Text of some emulated tokens, different for each `seed`. */
const tokens = (count: number, seed: string): string => `${seed} `.repeat(4 * count).slice(0, 4 * count);

describe.each(['chat', 'responses'])('prompt_cache_key (MODEL_API=%s)', (api) => {
  it('is the same for all questions of a session, and hides the session', async () => {
    await start({ MODEL_API: api });
    const [one, other] = [`session-${randomUUID()}`, `session-${randomUUID()}`];
    for (const session_id of [one, one, other]) await ask(app, { question: newQuestion(), session_id });
    const [first, second, third] = keys();
    expect(first).toMatch(/^[\w-]{43}$/);
    expect(second).toBe(first);
    expect(third).not.toBe(first);
    for (const { body } of app.emulator.requests) expect(JSON.stringify(body)).not.toContain('session-');
  });

  it('is not sent again to a model that refuses it; its answers stay in the cache', async () => {
    await start({ MODEL_API: api }, { refuses: ['prompt_cache_key'] });
    const question = newQuestion();
    expect((await ask(app, { question })).performance_metrics.connection?.attempts).toBe(2);
    await ask(app, { question: newQuestion() });
    expect(keys()).toEqual([expect.any(String), undefined, undefined]);
    expect(app.output()).toContain('does not take "prompt_cache_key"');
    expect((await ask(app, { question })).performance_metrics.from_cache).toBe(true);
  });
});

it('no key is part of a cached answer: other sessions share it', async () => {
  await start();
  const question = newQuestion();
  await ask(app, { question, session_id: randomUUID() });
  const again = await ask(app, { question, session_id: randomUUID() });
  expect(again.performance_metrics.cache.result).toBe('hit');
});

it('no key is sent to the dated API, which would refuse it', async () => {
  await app.start();
  await ask(app, { question: newQuestion() });
  expect(keys()).toEqual([undefined]);
});

it('tokens that are written to the prompt cache are counted, billed and traced', async () => {
  const otlp = await startReceiver();
  try {
    await start(
      {
        MODEL_PRICES: 'input=200,cached_input=20,cache_write=250,output=1200',
        SYSTEM_PROMPT: tokens(1200, 'rules'),
        OTEL_EXPORTER_OTLP_ENDPOINT: otlp.url,
      },
      { promptCache: { rules: 'messages' } },
    );
    const session_id = randomUUID();
    const first = (await ask(app, { question: tokens(50, 'one'), session_id })).performance_metrics;
    expect(first.tokens).toMatchObject({ prompt: 1250, cached: 0, cache_write: 1250 });
    const { completion } = first.tokens;
    expect(first.cost?.spent).toBeCloseTo((1250 * 250 + completion * 1200) / 1e6, 8);
    const second = (await ask(app, { question: tokens(50, 'two'), session_id })).performance_metrics;
    const { prompt } = second.tokens;
    expect(second.tokens).toMatchObject({ cached: 1250, cache_write: prompt - 1250 });
    await app.stop();
    const { attributes } = named(spansOf(otlp), 'chat gpt-4o');
    expect(valuesOf(attributes)).toMatchObject({ 'gen_ai.usage.cache_creation.input_tokens': 1250 });
  } finally {
    await otlp.close();
  }
});

it('a long conversation moves its window in steps, so that most prompts begin as the one before', async () => {
  await start({ HISTORY_MAX_INTERACTIONS: '6' }, {});
  const session_id = randomUUID();
  let answer: Answer | undefined;
  for (let turn = 1; turn <= 14; turn++) answer = await ask(app, { question: `Turn ${turn}?`, session_id });
  // The first question that each prompt contains.
  const oldest = app.emulator.requests.map(
    ({ messages }) => messages.find(({ role }) => role === 'user')?.content,
  );
  const [one, four, seven] = ['Turn 1?', 'Turn 4?', 'Turn 7?'];
  const expected = [one, one, one, one, one, one, one, one, one, four, four, four, seven, seven];
  expect(oldest.map((each, index) => [index + 1, each])).toEqual(
    expected.map((each, index) => [index + 1, each]),
  );
  // No prompt of a long conversation has fewer than the limit, and callers see as many as it says.
  const sizes = app.emulator.requests.map(({ messages }) => (messages.length - 2) / 2);
  expect(sizes.slice(6)).toEqual([6, 7, 8, 6, 7, 8, 6, 7]);
  expect(answer?.chat_history).toHaveLength(12);
});

/** Prices in dollars: docs/cost.md. */
const MODELS = [
  { name: 'gpt-5-mini', rules: 'steps', input: 0.25, cached: 0.025, write: 0.25, output: 2 },
  { name: 'gpt-5.6-luna', rules: 'messages', input: 0.2, cached: 0.02, write: 0.25, output: 1.2 },
] as const;
/** The beginning of the rows in docs/cost.md. */
const ROW = '| 20 turns with';
const CONVERSATIONS = 10;
const TURNS = 20;
const SECOND_MS = 1000;

/** Dollars for 1,000 conversations: of all, and if every prompt token had the ordinary price. */
async function costOf(model: (typeof MODELS)[number], withKey: boolean): Promise<[number, number]> {
  let now = Date.UTC(2026, 10, 30);
  const own = await startApp({
    emulator: {
      promptCache: { rules: model.rules, now: () => now },
      answers: (messages) => tokens(300, `answer ${messages.length}`),
    },
    modelPath: withKey ? '/openai/v1/' : '',
    env: {
      SYSTEM_PROMPT: tokens(1200, 'rules'),
      MODEL_PRICES: `input=${model.input},cached_input=${model.cached},cache_write=${model.write},output=${model.output}`,
    },
  });
  const sessions = Array.from({ length: CONVERSATIONS }, () => randomUUID());
  let [spent, ordinary] = [0, 0];
  for (let turn = 0; turn < TURNS; turn++) {
    for (const [index, session_id] of sessions.entries()) {
      const question = tokens(50, `question ${index} ${turn}`);
      const { performance_metrics: metrics } = await ask(own, { question, session_id });
      spent += metrics.cost?.spent ?? expect.unreachable();
      const { prompt, completion } = metrics.tokens;
      ordinary += (prompt * model.input + completion * model.output) / 1e6;
      now += SECOND_MS;
    }
  }
  await own.stop();
  return [(1000 * spent) / CONVERSATIONS, (1000 * ordinary) / CONVERSATIONS];
}

it(
  'conversations of 20 turns cost what docs/cost.md says, with and without it',
  { tags: ['long'], timeout: 600_000 },
  async () => {
    const rows = MODELS.map(async (model) => {
      const [[withoutKey, ordinary], [withKey]] = await Promise.all([
        costOf(model, false),
        costOf(model, true),
      ]);
      expect(withKey).toBeLessThan(withoutKey);
      const [none, some, all] = [ordinary, withoutKey, withKey].map((dollars) => dollars.toFixed(2));
      return `${ROW} \`${model.name}\` | ${none} | ${some} | ${all} |`;
    });
    const lines = readFileSync(join(root, 'docs', 'cost.md'), 'utf8').split('\n');
    expect(lines.filter((line) => line.startsWith(ROW))).toEqual(await Promise.all(rows));
  },
);
