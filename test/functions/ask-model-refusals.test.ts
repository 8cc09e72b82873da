/** Refusals and truncated answers of Azure OpenAI, with its real wording, and their effect on a question. */
import { randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { Fault } from '../../dev/azure-openai-emulator/emulator.ts';
import type { Environment } from '../../src/lib/config/config.ts';
import { ask, askForError, newQuestion } from '../support/app.ts';
import { sampled } from '../support/effort.ts';
import { streamFrom } from '../support/streamed.ts';
import { useSharedApp } from '../support/fixture.ts';

const app = useSharedApp();

/** Number of interactions in each request to the model. */
const sent = (): number[] =>
  app.emulator.requests.map(({ messages }) => messages.filter(({ role }) => role === 'assistant').length);
const bodies = (): Record<string, unknown>[] => app.emulator.requests.map(({ body }) => body);

/**
 * Asks plainly or as a stream. Returns the answer, or the error with its status (for a stream, the equivalent
 * status).
 */
async function outcomeOf(streamed: boolean, fields: { question: string; session_id?: string }) {
  if (!streamed) {
    const { status, body } = await askForError(app, fields);
    return { status, code: body.error?.code, body };
  }
  const { response, done, error } = await streamFrom(app, fields);
  return { status: response.status, code: error?.error.code, body: done ?? error };
}

describe.each(sampled([false, true]))('a conversation that is too long (streamed: %s)', (streamed) => {
  it.each(sampled(['older', 'newer']))(
    'is retried with less of its history (%s wording)',
    async (wording) => {
      await app.start();
      const session_id = randomUUID();
      for (let index = 0; index < 4; index++) await ask(app, { question: newQuestion(), session_id });
      app.emulator.reset();
      const tooLong: Fault = { kind: 'context_length', wording };
      app.emulator.failNext(tooLong, tooLong);
      const { body } = await outcomeOf(streamed, { question: newQuestion(), session_id });
      expect(body?.status).toBe('success');
      expect(sent()).toEqual([4, 2, 1]);
    },
  );

  it('is a 413 only when the question alone is too long', async () => {
    await app.start();
    const { session_id } = await ask(app, { question: newQuestion() });
    app.emulator.reset();
    app.emulator.fault = { kind: 'context_length' };
    const refused = await outcomeOf(streamed, { question: newQuestion(), session_id });
    expect([refused.status, refused.code]).toEqual([413, 'conversation_too_long']);
    expect(sent()).toEqual([1, 0]);
  });
});

describe.each(sampled([false, true]))(
  'an answer whose reasoning used up the output limit (streamed: %s)',
  (streamed) => {
    const usedUp: Fault = { kind: 'answer', content: '', finishReason: 'length', reasoningTokens: 64 };

    it('is not retried, its tokens are counted, and the log names the setting to raise', async () => {
      await app.start({
        fresh: true,
        env: { MODEL_PRICES: 'input=1,cached_input=1,output=1000000' },
      });
      app.emulator.fault = usedUp;
      for (let index = 0; index < 3; index++) {
        const cut = await outcomeOf(streamed, { question: newQuestion() });
        expect([cut.status, cut.code]).toEqual([422, 'output_limit_reached']);
        expect(cut.body?.status).toContain('MODEL_MAX_OUTPUT_TOKENS');
      }
      expect(app.output()).toContain('raise MODEL_MAX_OUTPUT_TOKENS');
      expect(app.emulator.requests).toHaveLength(3);
      const { totals } = (await (await fetch(`${app.url}/health/ready`)).json()) as {
        totals: { tokens: { completion: number }; cost: { spent: number } };
      };
      // The emulator counts one token for the empty text, plus the reasoning tokens.
      expect(totals.tokens.completion).toBe(3 * 65);
      expect(totals.cost.spent).toBeGreaterThan(3 * 64);
      expect(app.output()).toMatch(/"outcome":"output_limit_reached".*"completion":65/);
      app.emulator.fault = undefined;
      expect((await outcomeOf(streamed, { question: newQuestion() })).body?.status).toBe('success');
    });

    it(
      'an empty answer without a reason is retried, and does not open the circuit breaker',
      { tags: ['long'] },
      async () => {
        await app.start();
        app.emulator.fault = { kind: 'answer', content: '' };
        for (let index = 0; index < 3; index++) {
          const empty = await outcomeOf(streamed, { question: newQuestion() });
          expect([empty.status, empty.code]).toEqual([502, 'model_unavailable']);
        }
        expect(app.emulator.requests).toHaveLength(9);
        app.emulator.fault = undefined;
        expect((await outcomeOf(streamed, { question: newQuestion() })).body?.status).toBe('success');
      },
    );
  },
);

describe('the asynchronous content filter', () => {
  it('withdraws an answer during the stream: the event is content_filtered, and nothing is stored', async () => {
    await app.start();
    const session_id = randomUUID();
    for (let index = 0; index < 6; index++) {
      app.emulator.failNext({ kind: 'async_content_filter' });
      const { names, error } = await streamFrom(app, { question: newQuestion(), session_id });
      expect([names, error?.error.code]).toEqual([['session', 'token', 'error'], 'content_filtered']);
    }
    expect(app.emulator.requests).toHaveLength(6);
    const { chat_history } = await ask(app, { question: newQuestion(), session_id });
    expect(chat_history).toHaveLength(2);
  });

  it('gives the same error when the answer is not streamed', async () => {
    await app.start();
    app.emulator.failNext({ kind: 'async_content_filter' });
    const refused = await outcomeOf(false, { question: newQuestion() });
    expect([refused.status, refused.code]).toEqual([422, 'content_filtered']);
  });
});

describe.each(sampled(['deployments', 'v1']))('a parameter that the model refuses, over %s', (api) => {
  const refuses = ['temperature', 'max_tokens'] as const;
  const startReasoning = (env: Environment): Promise<void> =>
    app.start({
      fresh: true,
      emulator: { deployments: ['chat'], refuses: [...refuses] },
      env: { AZURE_OPENAI_CHAT_DEPLOYMENT_NAME: 'chat', ...env },
      modelPath: api === 'v1' ? '/openai/v1/' : '',
    });

  it('is never sent when its setting is not set', async () => {
    await startReasoning({});
    expect((await ask(app, { question: newQuestion() })).status).toBe('success');
    const [body = {}] = bodies();
    for (const name of ['temperature', 'max_tokens', 'max_completion_tokens', 'reasoning_effort'])
      expect(body).not.toHaveProperty(name);
    expect(bodies()).toHaveLength(1);
  });

  it('is left out or renamed, the question is retried once, and the process remembers it', async () => {
    await startReasoning({
      MODEL_TEMPERATURE: '0.5',
      MODEL_MAX_OUTPUT_TOKENS: '500',
      MODEL_REASONING_EFFORT: 'low',
    });
    expect((await ask(app, { question: newQuestion() })).status).toBe('success');
    expect((await streamFrom(app, { question: newQuestion() })).done?.status).toBe('success');
    const last = { max_completion_tokens: 500, reasoning_effort: 'low' };
    expect(bodies()).toMatchObject([{ temperature: 0.5, max_tokens: 500 }, { max_tokens: 500 }, last, last]);
    for (const body of bodies().slice(2)) {
      expect(body).not.toHaveProperty('temperature');
      expect(body).not.toHaveProperty('max_tokens');
    }
    expect(app.output().match(/MODEL_TEMPERATURE/g)).toHaveLength(1);
    expect(app.output()).toContain('max_completion_tokens');
  });

  it('keeps the cache correct: the key follows the parameters that are sent', async () => {
    await startReasoning({ MODEL_TEMPERATURE: '0.5' });
    const question = newQuestion();
    await ask(app, { question });
    const again = await ask(app, { question });
    expect(again.performance_metrics.cache.result).toBe('hit');
    expect(bodies()).toHaveLength(2);
  });
});

it('a parameter that an older model does not support is left out', async () => {
  await app.start({
    fresh: true,
    emulator: { refuses: ['reasoning_effort'] },
    env: { MODEL_REASONING_EFFORT: 'high' },
  });
  expect((await ask(app, { question: newQuestion() })).status).toBe('success');
  expect((await ask(app, { question: newQuestion() })).status).toBe('success');
  expect(bodies().map((body) => body['reasoning_effort'])).toEqual(['high', undefined, undefined]);
  expect(app.output()).toContain('MODEL_REASONING_EFFORT');
});

it('a refusal for any other reason is returned and not retried', async () => {
  await app.start({ env: { MODEL_TEMPERATURE: '0.5' } });
  app.emulator.failNext({
    kind: 'status',
    status: 400,
    code: 'unsupported_value',
    message: "Unsupported value: 'messages[0].role' does not support 'system' with this model.",
  });
  const refused = await outcomeOf(false, { question: newQuestion() });
  expect([refused.status, refused.code]).toEqual([502, 'model_misconfigured']);
  expect(app.emulator.requests).toHaveLength(1);
});
