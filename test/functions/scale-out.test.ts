/** Several instances behind a balancer, which share Azurite and Redis. */
import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Environment } from '../../src/lib/config/config.ts';
import { type Balancer, startBalancer } from '../../dev/stack/balancer.ts';
import { type Redis, startRedis } from '../../dev/stack/redis.ts';
import type { Answer } from '../../src/lib/contract/responses.ts';
import { holdToContract } from '../support/contract.ts';
import { ask, askForError, eventually, newQuestion, post, startApp, type TestApp } from '../support/app.ts';
import { scaled } from '../support/effort.ts';

const COUNT = scaled(4, 2);
/** Four instances take longer to start than other apps. */
const START_MS = 180_000;
const signedIn = (id: string): Record<string, string> => ({
  'x-ms-client-principal': Buffer.from('{"auth_typ":"aad","claims":[]}').toString('base64'),
  'x-ms-client-principal-id': id,
  'x-ms-client-principal-name': `${id}@example.com`,
  'x-ms-client-principal-idp': 'aad',
});

let redis: Redis;
let instances: TestApp[];
let balancer: Balancer;
/** The first instance, with the emulator that all use, as if it had the address of the balancer. */
let all: TestApp;

async function start(count: number, settings: Environment = {}): Promise<void> {
  redis = await startRedis();
  const env = { ANSWER_CACHE_REDIS_URL: redis.url, WEBSITE_AUTH_ENABLED: 'True', ...settings };
  const first = await startApp({ env });
  const shared = { ...env, AZURE_OPENAI_ENDPOINT: first.emulator.url };
  const others = await Promise.all(Array.from({ length: count - 1 }, () => startApp({ env: shared })));
  instances = [first, ...others];
  balancer = await startBalancer(instances.map(({ url }) => url));
  holdToContract(balancer.url);
  all = { ...first, url: balancer.url };
  // `error` until the instance is connected to Redis.
  for (const app of instances) {
    await eventually(
      async () => (await ask(app, { question: newQuestion() })).performance_metrics.cache.result === 'miss',
    );
  }
  first.emulator.reset();
}
async function stop(): Promise<void> {
  await balancer.close();
  // The first one last: its emulator is the model of all.
  for (const app of instances.toReversed()) await app.stop();
  await redis.kill();
}

const questionsOf = ({ chat_history }: Pick<Answer, 'chat_history'>): string[] =>
  chat_history.filter(({ role }) => role === 'human').map(({ content }) => content);
function lastOf(): TestApp {
  const last = instances.at(-1);
  if (!last) throw new Error('no instance');
  return last;
}
/** The model calls for a question. */
const callsFor = (question: string): number =>
  all.emulator.requests.filter(({ messages }) => messages.at(-1)?.content === question).length;
const resultsOf = (answers: Answer[]): string[] =>
  answers.map(({ performance_metrics: metrics }) => metrics.cache.result).toSorted();

/** Asks until there is an answer: the instance that had the question may have died, and its claim has to expire. */
async function askAgain(fields: { question: string; session_id: string }): Promise<Answer> {
  const headers = { 'Idempotency-Key': randomUUID() };
  // A dead instance refuses at once, and its claim lasts 15 s.
  const until = performance.now() + 40_000;
  for (;;) {
    try {
      return await ask(all, fields, headers);
    } catch (error) {
      // `fetch` reports a broken connection as a TypeError; `ask` begins with the status.
      const isTemporary = error instanceof TypeError || String(error).startsWith('Error: 5');
      if (!isTemporary || performance.now() > until) throw error;
      await delay(100);
    }
  }
}

describe('instances that share storage and Redis', { tags: ['redis'] }, () => {
  beforeAll(() => start(COUNT), START_MS);
  beforeEach(() => all.emulator.reset());
  afterAll(stop);

  it('follow a session in its order', async () => {
    const session_id = randomUUID();
    const questions = Array.from({ length: 2 * COUNT }, newQuestion);
    const answers: Answer[] = [];
    for (const question of questions) answers.push(await ask(all, { question, session_id }));
    for (const [index, answer] of answers.entries())
      expect(questionsOf(answer)).toEqual(questions.slice(0, index + 1));
    const served = answers.map(({ performance_metrics: metrics }) => metrics.instance_id);
    expect(new Set(served).size).toBe(COUNT);
  });

  it('answer a question with the same Idempotency-Key once', async () => {
    const fields = { question: newQuestion(), session_id: randomUUID() };
    const headers = { 'Idempotency-Key': randomUUID(), 'Cache-Control': 'no-store' };
    all.emulator.latencyMs = 500;
    const answers = await Promise.all(Array.from({ length: 2 * COUNT }, () => ask(all, fields, headers)));
    expect(new Set(answers.map(({ answer }) => answer)).size).toBe(1);
    expect(callsFor(fields.question)).toBe(1);
    expect(questionsOf(await ask(all, { ...fields, question: 'next' }))).toEqual([fields.question, 'next']);
  });

  it('keep users apart', async () => {
    const session_id = randomUUID();
    const ids = [`ann-${randomUUID()}`, `bob-${randomUUID()}`];
    for (const id of ids) {
      for (let count = 0; count < COUNT; count++)
        await ask(all, { question: `${id} ${count}`, session_id }, signedIn(id));
    }
    for (const id of ids) {
      const own = Array.from({ length: COUNT }, (_, count) => `${id} ${count}`);
      for (const { url } of instances) {
        const response = await fetch(`${url}/sessions/${session_id}`, { headers: signedIn(id) });
        expect(questionsOf((await response.json()) as Answer)).toEqual(own);
      }
    }
  });

  it('all lose a cached answer after one DELETE /cache', async () => {
    const question = newQuestion();
    for (const app of instances) await ask(app, { question });
    expect(callsFor(question)).toBe(1);
    const cleared = await fetch(`${balancer.url}/cache`, { method: 'DELETE' });
    expect(await cleared.json()).toMatchObject({ cleared: ['memory', 'sqlite', 'redis'] });
    for (const app of instances) {
      const only = { 'Cache-Control': 'only-if-cached' };
      await eventually(async () => (await post(app, JSON.stringify({ question }), only)).status === 504);
      expect((await askForError(app, { question }, only)).body.error.code).toBe('not_cached');
    }
  });

  it('make one model call for identical questions, and count the others as coalesced', async () => {
    const question = newQuestion();
    all.emulator.latencyMs = 1000;
    const answers = await Promise.all(instances.map((app) => ask(app, { question })));
    expect(callsFor(question)).toBe(1);
    const shared = Array.from({ length: COUNT - 1 }, () => 'coalesced');
    expect(resultsOf(answers)).toEqual([...shared, 'miss']);
    expect(new Set(answers.map(({ answer }) => answer)).size).toBe(1);
    const waiting = answers.find(({ performance_metrics: metrics }) => metrics.from_cache);
    expect(waiting?.performance_metrics).toMatchObject({ api_call_time: 0, connection: null });
    expect(waiting?.performance_metrics.tokens.saved).toBeGreaterThan(0);
    expect(waiting?.performance_metrics.timings.model).toBeGreaterThan(0);
  });

  it('stream the answer of another instance in one piece', async () => {
    const question = newQuestion();
    all.emulator.latencyMs = 1000;
    all.emulator.tokenDelayMs = 100;
    const bodies = await Promise.all(
      instances.map(async (app) => (await post(app, JSON.stringify({ question, stream: true }))).text()),
    );
    expect(callsFor(question)).toBe(1);
    const tokens = bodies.map((body) => body.match(/^event: token$/gm)?.length ?? 0);
    expect(tokens.filter((count) => count === 1)).toHaveLength(COUNT - 1);
    expect(Math.max(...tokens)).toBeGreaterThan(1);
    for (const body of bodies) expect(body).toContain('event: done');
  });

  it('ask themselves with no-cache, no-store and max-age', async () => {
    const question = newQuestion();
    const [first, second] = instances;
    if (!first || !second) throw new Error('fewer than two instances');
    all.emulator.latencyMs = 1000;
    const asking = ask(first, { question });
    await eventually(() => callsFor(question) === 1);
    for (const value of ['no-cache', 'no-store', 'max-age=0'])
      await ask(second, { question }, { 'Cache-Control': value });
    await asking;
    expect(callsFor(question)).toBe(4);
  });
});

describe('an instance that is killed', { tags: ['redis', 'posix'] }, () => {
  afterEach(stop);
  it('while it asks: another one asks, and the question is answered', async () => {
    await start(2);
    const question = newQuestion();
    all.emulator.failNext({ kind: 'hang' });
    const lost = ask(lastOf(), { question }).catch((error: unknown) => error);
    await eventually(() => callsFor(question) === 1);
    const waiting = ask(instances[0] ?? all, { question });
    await delay(500);
    lastOf().host.process.kill('SIGKILL');
    expect(await lost).toBeInstanceOf(TypeError);
    expect((await waiting).performance_metrics).toMatchObject({
      from_cache: false,
      cache: { result: 'miss' },
    });
    expect(callsFor(question)).toBe(2);
  });

  it('in mid-load loses and doubles no interaction', { tags: ['long'] }, async () => {
    await start(2, { REQUEST_TIMEOUT_SECONDS: '5' });
    const sessions = Array.from({ length: scaled(12, 6) }, () => ({
      id: randomUUID(),
      questions: Array.from({ length: 4 }, newQuestion),
    }));
    all.emulator.latencyMs = 100;
    const load = Promise.all(
      sessions.map(async ({ id, questions }) => {
        const answers: Answer[] = [];
        for (const question of questions) answers.push(await askAgain({ question, session_id: id }));
        return answers;
      }),
    );
    await delay(300);
    lastOf().host.process.kill('SIGKILL');
    for (const answers of await load) {
      for (const { performance_metrics: metrics } of answers) expect(metrics.history_saved).toBe(true);
    }
    for (const { id, questions } of sessions) {
      const response = await fetch(`${balancer.url}/sessions/${id}`);
      expect(questionsOf((await response.json()) as Answer)).toEqual(questions);
    }
  });
});
