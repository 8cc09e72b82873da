/** Budgets of money and questions per minute, as callers of each API see them. */
import { randomUUID } from 'node:crypto';
import OpenAI, { APIError } from 'openai';
import { describe, expect, it } from 'vitest';
import type { Environment } from '../../src/lib/config/config.ts';
import type { Answer } from '../../src/lib/contract/responses.ts';
import { ask, askForError, eventually, newQuestion, post } from '../support/app.ts';
import { useApp, useAppBehindProxy, useSharedApp } from '../support/fixture.ts';
import { connectClient } from '../support/mcp-client.ts';
import { streamFrom } from '../support/streamed.ts';

/** A token of an answer costs 1, a prompt nothing; an answer costs 100 at most. */
const MONEY: Environment = {
  WEBSITE_AUTH_ENABLED: 'True',
  CACHE_PARTITION: 'none',
  MODEL_PRICES: 'input=0,cached_input=0,output=1000000',
  MODEL_MAX_OUTPUT_TOKENS: '100',
};
/** All tests of a worker share one storage: the budgets of an app belong to its table. */
const ownTable = (): Environment => ({ SESSIONS_TABLE_NAME: `budgets${randomUUID().replaceAll('-', '')}` });

/** The headers of a new user. */
const newUser = (): Record<string, string> => ({
  'x-ms-client-principal-id': randomUUID(),
  'x-ms-client-principal-idp': 'aad',
});
const costOf = ({ performance_metrics: { cost } }: Answer): number => cost?.spent ?? expect.unreachable();
const leftOf = ({ performance_metrics: { budget } }: Answer) => budget ?? expect.unreachable();

type Refusal = Awaited<ReturnType<typeof askForError>>;

describe('a budget of each caller', () => {
  const app = useApp({ env: { ...MONEY, BUDGET_CALLER_DAY: '250', BUDGET_CALLER_MONTH: '10000' } });

  /** Asks one question after the other until one is refused. */
  async function useUp(user: Record<string, string>): Promise<{ spent: number; refusal: Refusal }> {
    for (let spent = 0; ;) {
      const response = await post(app, JSON.stringify({ question: newQuestion() }), user);
      if (response.status !== 200) {
        const { status, headers } = response;
        return { spent, refusal: { status, headers, body: (await response.json()) as Refusal['body'] } };
      }
      spent += costOf((await response.json()) as Answer);
    }
  }

  it('is used up but for less than one answer, and never exceeded', async () => {
    const { spent, refusal } = await useUp(newUser());
    expect(spent).toBeGreaterThan(250 - 100);
    expect(spent).toBeLessThanOrEqual(250);
    const { status, headers, body } = refusal;
    const tomorrow = new Date(Math.ceil(Date.now() / 86_400_000) * 86_400_000);
    expect({ status, ...body.error }).toMatchObject({
      status: 429,
      code: 'budget_exceeded',
      budget: 'caller_day',
      renews_at: tomorrow.toISOString(),
    });
    expect(Number(headers.get('retry-after'))).toBeLessThanOrEqual(86_400);
    expect(body.error.retry_after).toBe(Number(headers.get('retry-after')));
  });

  it('is one for each caller, and cached answers go on when it is used up', async () => {
    const [one, other] = [newUser(), newUser()];
    const question = newQuestion();
    await ask(app, { question }, other);
    const { refusal } = await useUp(one);
    expect(refusal.status).toBe(429);
    const hit = await ask(app, { question }, one);
    expect(hit.performance_metrics.from_cache).toBe(true);
    expect(hit.performance_metrics.budget).toBeUndefined();
    expect((await ask(app, { question: newQuestion() }, other)).status).toBe('success');
  });

  it('does not apply to callers without a user id', async () => {
    const answer = await ask(app, { question: newQuestion() });
    expect(answer.performance_metrics.budget).toBeUndefined();
  });

  it('is told in each answer that called the model, and in its header', async () => {
    const user = newUser();
    const first = await ask(app, { question: newQuestion() }, user);
    expect(leftOf(first).caller_day).toMatchObject({ limit: 250, remaining: 250 - costOf(first) });
    const response = await post(app, JSON.stringify({ question: newQuestion() }), user);
    const second = (await response.json()) as Answer;
    const spent = costOf(first) + costOf(second);
    expect(leftOf(second)).toMatchObject({
      caller_day: { remaining: 250 - spent },
      caller_month: { limit: 10_000, remaining: 10_000 - spent },
    });
    expect(response.headers.get('x-budget-remaining')).toBe(
      `caller_day=${250 - spent}, caller_month=${10_000 - spent}`,
    );
    app.emulator.tokenDelayMs = 20;
    const { response: stream, done } = await streamFrom(app, { question: newQuestion() }, { headers: user });
    // The headers come before the answer has cost anything: all that it may cost is reserved.
    expect(stream.headers.get('x-budget-remaining')).toContain(`caller_day=${250 - spent - 100}`);
    expect(leftOf(done ?? expect.unreachable()).caller_day?.remaining).toBeGreaterThan(250 - spent - 100);
  });

  it.each([
    ['an answer that breaks off', { kind: 'break' } as const, 100],
    ['a server error without usage', { kind: 'status', status: 500 } as const, 100],
    ['a refusal because of the quota', { kind: 'status', status: 429, retryAfter: '0' } as const, 0],
  ])('counts %s, and then its repetition', async (_, fault, expected) => {
    const user = newUser();
    app.emulator.failNext(fault);
    const answer = await ask(app, { question: newQuestion() }, user);
    expect(answer.performance_metrics.connection?.attempts).toBe(2);
    const spent = 250 - (leftOf(answer).caller_day?.remaining ?? 0);
    expect(spent).toBe(expected + costOf(answer));
  });

  it('pays for identical questions at the same time once, whoever asks them', async () => {
    const [first, second, poor] = [newUser(), newUser(), newUser()];
    await useUp(poor);
    app.emulator.reset();
    app.emulator.latencyMs = 300;
    const question = newQuestion();
    const asking = [poor, first, second].map((user) => ask(app, { question }, user));
    const [refused, ...answered] = await Promise.allSettled(asking);
    expect(refused).toMatchObject({ status: 'rejected' });
    expect(answered.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled']);
    expect(app.emulator.requests).toHaveLength(1);
  });

  it('ends a stream by an event when others have spent it while the stream waited for the model', async () => {
    const user = newUser();
    app.emulator.failNext({ kind: 'status', status: 429, retryAfter: '2' });
    const waiting = streamFrom(app, { question: newQuestion() }, { headers: user });
    await eventually(() => app.emulator.requests.length === 1);
    app.emulator.latencyMs = 4000;
    const others = [1, 2].map(() => ask(app, { question: newQuestion() }, user));
    const { names, error } = await waiting;
    expect(names).toEqual(['session', 'status', 'error']);
    expect(error?.error).toMatchObject({ code: 'budget_exceeded', budget: 'caller_day' });
    expect(error?.error.renews_at).toMatch(/T00:00:00\.000Z$/);
    await Promise.all(others);
  });

  it('is an error of a tool for agents', async () => {
    const user = newUser();
    await useUp(user);
    const client = await connectClient(app, 'auto', user);
    const result = await client.call('ask', { question: newQuestion() });
    expect(result.isError).toBe(true);
    expect(result.content[0]?.text).toContain('code: budget_exceeded');
  });

  it("is OpenAI's error for a used-up quota, which its client does not repeat", async () => {
    const user = newUser();
    await useUp(user);
    let requests = 0;
    const client = new OpenAI({
      baseURL: `${app.url}/v1`,
      apiKey: 'unused',
      defaultHeaders: user,
      fetch: (...args) => (requests++, fetch(...args)),
    });
    const messages = [{ role: 'user' as const, content: newQuestion() }];
    const error: unknown = await client.chat.completions
      .create({ model: 'default', messages })
      .catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(APIError);
    expect(error).toMatchObject({ status: 429, code: 'insufficient_quota', type: 'insufficient_quota' });
    expect(requests).toBe(1);
    // A smaller answer than the settings allow still fits.
    await client.chat.completions.create({ model: 'default', messages, max_completion_tokens: 5 });
  });
});

describe('other budgets', () => {
  const app = useSharedApp();

  it('of a month and of a day: the one that renews last is named', async () => {
    await app.start({ env: { ...MONEY, BUDGET_CALLER_DAY: '110', BUDGET_CALLER_MONTH: '110' } });
    const user = newUser();
    await ask(app, { question: newQuestion() }, user);
    const { body } = await askForError(app, { question: newQuestion() }, user);
    const now = new Date();
    expect(body.error).toMatchObject({
      budget: 'caller_month',
      renews_at: new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth() + 1)).toISOString(),
    });
  });

  it.each(['BUDGET_APP_DAY', 'BUDGET_APP_MONTH'])('%s is spent by all callers together', async (name) => {
    await app.start({ fresh: true, env: { ...MONEY, ...ownTable(), [name]: '250' } });
    let spent = 0;
    for (let failed = false; !failed;) {
      const response = await post(app, JSON.stringify({ question: newQuestion() }), newUser());
      if (response.status === 200) spent += costOf((await response.json()) as Answer);
      else {
        failed = true;
        const budget = name.replace('BUDGET_', '').toLowerCase();
        expect(await response.json()).toMatchObject({ error: { code: 'budget_exceeded', budget } });
      }
    }
    expect(spent).toBeGreaterThan(250 - 100);
    expect(spent).toBeLessThanOrEqual(250);
    expect((await askForError(app, { question: newQuestion() })).status).toBe(429);
  });

  it('is still spent after the process has stopped: what it did not use was given back', async () => {
    const env = { ...MONEY, ...ownTable(), BUDGET_APP_DAY: '400' };
    await app.start({ fresh: true, env });
    const spent = costOf(await ask(app, { question: newQuestion() }));
    await app.start({ fresh: true, env });
    const answer = await ask(app, { question: newQuestion() });
    expect(leftOf(answer).app_day?.remaining).toBe(400 - spent - costOf(answer));
  });

  it('of questions per minute: counts those that call the model', async () => {
    await app.start({ env: { WEBSITE_AUTH_ENABLED: 'True', RATE_CALLER_PER_MINUTE: '3' } });
    const user = newUser();
    const question = newQuestion();
    // The minute may end between two questions.
    const statuses: number[] = [];
    for (let index = 0; index < 8; index++) {
      const response = await post(
        app,
        JSON.stringify({ question: index === 0 ? question : newQuestion() }),
        user,
      );
      statuses.push(response.status);
      if (response.status !== 429) continue;
      const { error } = (await response.json()) as Refusal['body'];
      expect(error).toMatchObject({ code: 'rate_limited', limit: 3, budget: 'caller_minute' });
      expect(error.retry_after).toBeLessThanOrEqual(60);
    }
    expect(statuses.slice(0, 3)).toEqual([200, 200, 200]);
    expect(statuses).toContain(429);
    expect((await ask(app, { question }, user)).performance_metrics.from_cache).toBe(true);
    expect((await ask(app, { question: newQuestion() }, newUser())).status).toBe('success');
  });

  it('needs a limit of the output: a model that refuses one does not answer', async () => {
    await app.start({
      fresh: true,
      env: { ...MONEY, BUDGET_CALLER_DAY: '250' },
      emulator: { refuses: ['max_tokens', 'max_completion_tokens'] },
    });
    const { status } = await askForError(app, { question: newQuestion() }, newUser());
    expect(status).toBe(502);
    await eventually(() => app.output().includes('without which no budget holds'));
  });
});

describe('a budget behind a storage proxy', () => {
  const { app, proxy } = useAppBehindProxy({
    ...MONEY,
    ...ownTable(),
    BUDGET_CALLER_DAY: '250000',
    BUDGET_APP_DAY: '2500000',
  });
  /** Requests for the rows of budgets; the address of an insert does not tell its row. */
  const ledgerKinds = () =>
    proxy.requests.filter(({ path }) => path.includes('ledger-')).map(({ kind }) => kind);
  const kindsOf = async (user: Record<string, string>): Promise<string[]> => {
    proxy.reset();
    await ask(app, { question: newQuestion() }, user);
    return ledgerKinds();
  };

  it('is read for the first question of a caller in a process, and not while enough of it is in hand', async () => {
    const user = newUser();
    await ask(app, { question: newQuestion() });
    expect(await kindsOf(user)).toEqual(['get']);
    expect(await kindsOf(user)).toEqual([]);
  });

  it('refuses questions while storage is down, and gives cached answers', async () => {
    const question = newQuestion();
    const user = newUser();
    await ask(app, { question }, user);
    proxy.failNext('get', { status: 403, code: 'AuthorizationFailure' }, Infinity);
    proxy.failNext('insert', { status: 403, code: 'AuthorizationFailure' }, Infinity);
    const { status, body } = await askForError(app, { question: newQuestion() }, newUser());
    expect({ status, code: body.error.code }).toEqual({ status: 503, code: 'budget_unavailable' });
    expect((await ask(app, { question }, newUser())).performance_metrics.from_cache).toBe(true);
    proxy.reset();
    expect((await ask(app, { question: newQuestion() }, newUser())).status).toBe('success');
  });

  it('counts a reservation once when the response of the storage was lost', async () => {
    const user = newUser();
    proxy.failNext('insert', 'lose');
    const answer = await ask(app, { question: newQuestion() }, user);
    expect(leftOf(answer).caller_day?.remaining).toBe(250_000 - costOf(answer));
  });
});
