/** The same questions by both APIs of the model, on both of its addresses: answers, streams, faults and costs. */
import { randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { Fault } from '../../dev/azure-openai-emulator/emulator.ts';
import { type AppOptions, ask, askForError, eventually, newQuestion } from '../support/app.ts';
import { sampled } from '../support/effort.ts';
import { streamFrom } from '../support/streamed.ts';
import { useSharedApp } from '../support/fixture.ts';

const app = useSharedApp();

const bodies = (): Record<string, unknown>[] => app.emulator.requests.map(({ body }) => body);

/** Asks plainly or as a stream; gives the status, the code of an error, and the answer. */
async function outcomeOf(streamed: boolean) {
  const fields = { question: newQuestion(), session_id: randomUUID() };
  if (!streamed) {
    const { status, body } = await askForError(app, fields);
    return { status, code: body.error?.code, answer: undefined, body };
  }
  const { response, done, error } = await streamFrom(app, fields);
  return { status: response.status, code: error?.error.code, answer: done, body: error };
}

const APIS = [
  ['responses', 'v1'],
  ['chat', 'deployments'],
  ['chat', 'v1'],
  ['responses', 'deployments'],
] as const;

describe.each(sampled(APIS))('MODEL_API=%s over the address of %s', (api, path) => {
  const start = async ({
    env,
    emulator = {},
    fresh = false,
  }: AppOptions & { fresh?: boolean } = {}): Promise<void> => {
    await app.start({
      fresh,
      emulator: { deployments: ['my-model'], ...emulator },
      env: { MODEL_API: api, AZURE_OPENAI_CHAT_DEPLOYMENT_NAME: 'my-model', ...env },
      modelPath: path === 'v1' ? '/openai/v1/' : '',
    });
  };

  it('answers, follows up, forgets, caches, and tells the truth about the connection', async () => {
    await start({ fresh: true });
    const session_id = randomUUID();
    const first = await ask(app, { question: 'What is the capital of France?', session_id });
    const next = await ask(app, { question: 'What about Spain?', session_id });
    const cached = await ask(app, { question: 'What is the capital of France?' });
    const fresh = await ask(app, { question: 'What about Spain?', session_id, new_conversation: true });
    expect([first.answer, next.answer]).toEqual([
      'The capital of France is Paris.',
      'The capital of Spain is Madrid.',
    ]);
    expect(fresh.answer).not.toContain('Madrid');
    expect(cached.performance_metrics).toMatchObject({ from_cache: true, connection: null });
    expect(first.performance_metrics.tokens).toMatchObject({ reasoning: 0, cached: 0 });
    expect(first.performance_metrics.tokens.prompt).toBeGreaterThan(0);
    expect(next.performance_metrics).toMatchObject({ connection_reused: true, connection: { id: 1 } });
    expect(app.emulator.requests.map(({ api: asked, deployment }) => [asked, deployment])).toEqual(
      app.emulator.requests.map(() => [api, 'my-model']),
    );
    expect(app.emulator.sockets).toHaveLength(1);
    // Nothing is kept at the provider.
    if (api === 'responses') expect(bodies().every((body) => body['store'] === false)).toBe(true);
  });

  it('streams as the model writes, and shares the call', async () => {
    await start();
    Object.assign(app.emulator, { latencyMs: 500, tokenDelayMs: 100 });
    const question = 'What is the capital of Italy?';
    const [one, two] = await Promise.all([streamFrom(app, { question }), streamFrom(app, { question })]);
    expect(one.tokens.length).toBeGreaterThan(1);
    expect(one.tokens.join('')).toBe('The capital of Italy is Rome.');
    expect(two.done?.answer).toBe(one.done?.answer);
    const results = [one, two].map(({ done }) => String(done?.performance_metrics.cache.result));
    expect(new Set(results)).toEqual(new Set(['coalesced', 'miss']));
    expect(one.done?.performance_metrics.tokens.completion).toBeGreaterThanOrEqual(0);
  });

  it.each(sampled([false, true]))('counts reasoning, and never shows it (streamed: %s)', async (streamed) => {
    await start({
      env: { MODEL_PRICES: 'input=0,cached_input=0,output=1000000' },
    });
    app.emulator.failNext({ kind: 'answer', content: 'Forty-two.', reasoningTokens: 100 });
    const question = newQuestion();
    const answer = streamed ? (await streamFrom(app, { question })).done : await ask(app, { question });
    expect(answer?.answer).toBe('Forty-two.');
    expect(answer?.performance_metrics.tokens).toMatchObject({ completion: 103, reasoning: 100 });
    expect(answer?.performance_metrics.cost?.spent).toBe(103);
  });

  it.each(sampled([false, true]))('knows each refusal (streamed: %s)', async (streamed) => {
    await start();
    const refusals: [Fault, number, string][] = [
      [{ kind: 'content_filter' }, 422, 'content_filtered'],
      [{ kind: 'context_length', wording: 'newer' }, 413, 'conversation_too_long'],
      [
        { kind: 'answer', content: '', finishReason: 'length', reasoningTokens: 9 },
        422,
        'output_limit_reached',
      ],
      [{ kind: 'answer', content: '', finishReason: 'content_filter' }, 422, 'content_filtered'],
      [{ kind: 'no_deployment' }, 502, 'model_misconfigured'],
      [{ kind: 'status', status: 429, retryAfter: '200' }, 429, 'model_rate_limited'],
    ];
    for (const [fault, status, code] of refusals) {
      app.emulator.failNext(fault);
      const failed = await outcomeOf(streamed);
      expect([fault.kind, failed.status, failed.code]).toEqual([fault.kind, status, code]);
    }
    expect(app.emulator.requests).toHaveLength(refusals.length);
  });

  it(
    'tries again what may pass: errors, resets, and failures within a stream',
    { tags: ['long'] },
    async () => {
      await start();
      const passing: Fault[] = [
        { kind: 'status', status: 500 },
        { kind: 'reset' },
        { kind: 'stream_error', event: 'error' },
        { kind: 'stream_error', event: 'failed' },
        { kind: 'empty' },
      ];
      for (const fault of passing) {
        app.emulator.reset();
        app.emulator.failNext(fault);
        const { answer } = await outcomeOf(true);
        expect([fault, answer?.performance_metrics.connection?.attempts]).toEqual([fault, 2]);
      }
    },
  );

  it('ends the call when the caller disconnects and nobody needs the answer', async () => {
    await start({ env: { FINISH_ABANDONED: 'off' } });
    app.emulator.tokenDelayMs = 100;
    app.emulator.failNext({ kind: 'answer', content: 'word '.repeat(100) });
    await streamFrom(app, { question: newQuestion() }, { onToken: () => false });
    await eventually(() => app.emulator.requests.some(({ aborted }) => aborted));
  });

  it('gives what the model says in place of an answer, and does not keep it for others', async () => {
    await start();
    const question = newQuestion();
    for (const streamed of [false, true]) {
      app.emulator.failNext({ kind: 'answer', content: null, refusal: 'I cannot help with that.' });
      const answer = streamed ? (await streamFrom(app, { question })).done : await ask(app, { question });
      expect(answer?.answer).toBe('I cannot help with that.');
    }
    expect(app.emulator.requests).toHaveLength(2);
  });

  it('sends each parameter that is set, by the name that the API has, and learns what is refused', async () => {
    await start({
      fresh: true,
      emulator: { refuses: ['temperature', 'verbosity'] },
      env: {
        MODEL_TEMPERATURE: '0.5',
        MODEL_MAX_OUTPUT_TOKENS: '500',
        MODEL_REASONING_EFFORT: 'low',
        MODEL_VERBOSITY: 'low',
      },
    });
    expect((await ask(app, { question: newQuestion() })).status).toBe('success');
    expect((await outcomeOf(true)).answer?.status).toBe('success');
    const [first, , third, fourth] = bodies();
    const effort = api === 'chat' ? { reasoning_effort: 'low' } : { reasoning: { effort: 'low' } };
    const limit = api === 'chat' ? { max_tokens: 500 } : { max_output_tokens: 500 };
    const verbosity = api === 'chat' ? { verbosity: 'low' } : { text: { verbosity: 'low' } };
    expect(first).toMatchObject({ temperature: 0.5, ...effort, ...limit, ...verbosity });
    for (const body of [third, fourth]) {
      expect(body).toMatchObject({ ...effort, ...limit });
      expect(body).not.toHaveProperty('temperature');
      expect(body).not.toHaveProperty(Object.keys(verbosity)[0] ?? '');
    }
    expect(bodies()).toHaveLength(4);
    for (const name of ['MODEL_TEMPERATURE', 'MODEL_VERBOSITY'])
      expect(app.output().split(name)).toHaveLength(2);
  });
});
