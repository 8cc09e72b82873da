/** Failures of storage, the cache file and the settings, and a stopping process, as a caller sees them. */
import { randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ask, askForError, eventually, post, startApp } from '../support/app.ts';
import { useFreshApp } from '../support/fixture.ts';

const app = useFreshApp();

describe('the storage', () => {
  // No process listens on this port.
  const gone =
    'DefaultEndpointsProtocol=http;AccountName=a;AccountKey=a2V5;TableEndpoint=http://127.0.0.1:1/a;';

  it('is unreachable: questions are answered without history and without the cache', async () => {
    await app.start({ env: { SESSIONS_STORAGE: gone } });
    for (const _ of [1, 2]) {
      const answer = await ask(app, { question: 'q', session_id: 's' });
      expect(answer.chat_history).toHaveLength(2);
      expect(answer.performance_metrics).toMatchObject({
        cache: { result: 'bypass', reason: 'history_unavailable' },
        history_available: false,
        history_saved: false,
      });
    }
    const fresh = await ask(app, { question: 'q' });
    expect(fresh.performance_metrics).toMatchObject({ history_available: true, history_saved: false });
    expect(app.output()).toContain('could not be read');
    expect(app.output()).toContain('could not be stored');
  });

  it(
    'is unreachable: a failed reset is a 503, and the model call is aborted',
    { tags: ['long'] },
    async () => {
      await app.start({ env: { SESSIONS_STORAGE: gone }, emulator: { latencyMs: 20_000 } });
      const refused = await askForError(app, { question: 'q', session_id: 's', new_conversation: true });
      expect(refused).toMatchObject({ status: 503, body: { error: { code: 'history_unavailable' } } });
      expect(refused.headers.get('retry-after')).toBe('1');
      await eventually(() => app.emulator.requests.every((request) => request.aborted));
    },
  );

  it('hangs: questions are still answered', { tags: ['long'] }, async () => {
    const tarpit = createServer(() => {}).listen(0, '127.0.0.1');
    await once(tarpit, 'listening');
    const { port } = tarpit.address() as { port: number };
    await app.start({ env: { SESSIONS_STORAGE: gone.replace(':1/', `:${port}/`) } });
    const answer = await ask(app, { question: 'q', session_id: 's' });
    expect(answer.performance_metrics.history_available).toBe(false);
    tarpit.closeAllConnections();
    tarpit.close();
  });

  it('has no table yet: the first answer creates it', async () => {
    await app.start({ env: { SESSIONS_TABLE_NAME: `t${Date.now()}` } });
    const answers = await Promise.all(
      ['a', 'b', 'c'].map((question) => ask(app, { question, session_id: question })),
    );
    expect(answers.map((answer) => answer.performance_metrics.history_saved)).toEqual([true, true, true]);
    const next = await ask(app, { question: 'd', session_id: 'a' });
    expect(next.chat_history).toHaveLength(4);
  });
});

describe('the cache file', () => {
  it('is not a database: it is recreated, questions are answered, and the log reports it', async () => {
    const path = join(tmpdir(), `not-a-database-${randomUUID()}`);
    writeFileSync(path, 'This is no database.'.repeat(100));
    await app.start({ env: { ANSWER_CACHE_PATH: path } });
    await ask(app, { question: 'q' });
    const second = await ask(app, { question: 'q' });
    expect(second.performance_metrics.cache).toMatchObject({ result: 'hit', tier: 'memory' });
    await eventually(() => app.output().includes('can be used again'));
    expect(app.output()).toContain('cannot be used now');
    expect((await ask(app, { question: 'another' })).performance_metrics.cache.result).toBe('miss');
  });

  it('keeps answers across a restart', async () => {
    const path = join(tmpdir(), `answers-${randomUUID()}.sqlite`);
    const emulator = { port: 0 };
    await app.start({ env: { ANSWER_CACHE_PATH: path }, emulator });
    const first = await ask(app, { question: 'q' });
    const { url } = app.emulator;
    expect(await app.host.stop()).toBe(0);
    const again = await startApp({ env: { ANSWER_CACHE_PATH: path, AZURE_OPENAI_ENDPOINT: url } });
    try {
      const second = await ask(again, { question: 'q' });
      expect(second.answer).toBe(first.answer);
      expect(second.performance_metrics.cache).toMatchObject({ result: 'hit', tier: 'sqlite' });
    } finally {
      await again.stop();
    }
  });

  it('is not used when ANSWER_CACHE_TTL_SECONDS is 0', { tags: ['long'] }, async () => {
    await app.start({ env: { ANSWER_CACHE_TTL_SECONDS: '0' } });
    for (const _ of [1, 2]) {
      expect((await ask(app, { question: 'q' })).performance_metrics.cache.result).toBe('bypass');
    }
    expect(app.emulator.requests).toHaveLength(2);
  });
});

describe('the settings', () => {
  it('are invalid: /ask returns no details, the log names every invalid setting, the process keeps running', async () => {
    await app.start({
      env: { AZURE_OPENAI_ENDPOINT: '', MODEL_TEMPERATURE: 'hot', SESSIONS_TABLE_NAME: '1' },
    });
    const refused = await askForError(app, { question: 'q' });
    expect(refused).toMatchObject({ status: 500, body: { error: { code: 'misconfigured' } } });
    for (const name of ['AZURE_OPENAI_ENDPOINT', 'MODEL_TEMPERATURE', 'SESSIONS_TABLE_NAME']) {
      expect(app.output()).toContain(name);
      expect(JSON.stringify(refused.body)).not.toContain(name);
    }
    expect((await fetch(`${app.url}/health`)).status).toBe(200);
    const ready = await fetch(`${app.url}/health/ready`);
    expect(ready.status).toBe(503);
    expect(await ready.json()).toMatchObject({ checks: { configuration: 'failing' } });
  });
});

describe('a stopping process', () => {
  it('finishes and stores a question in flight', async () => {
    await app.start({ emulator: { latencyMs: 1000 } });
    const session_id = randomUUID();
    const answering = ask(app, { question: 'My name is Eve.', session_id });
    await eventually(() => app.emulator.requests.length === 1);
    const stopped = app.host.stop();
    expect((await answering).performance_metrics.history_saved).toBe(true);
    expect(await stopped).toBe(0);
    const other = await startApp();
    expect((await ask(other, { question: 'What is my name?', session_id })).answer).toContain('Eve');
    await other.stop();
  });

  it('ends a slow question with 503, within the time limit of the host', { tags: ['long'] }, async () => {
    await app.start({ emulator: { latencyMs: 60_000 } });
    const answering = askForError(app, { question: 'q' });
    await eventually(() => app.emulator.requests.length === 1);
    const stopped = app.host.stop();
    expect(await answering).toMatchObject({ status: 503, body: { error: { code: 'stopping' } } });
    expect(await stopped).toBe(0);
  });

  it('stops on SIGTERM alone', { tags: ['posix'] }, async () => {
    await app.start({ emulator: { latencyMs: 500 } });
    const answering = post(app, '{"question": "q"}');
    await eventually(() => app.emulator.requests.length === 1);
    const exited = once(app.host.process, 'exit');
    app.host.process.kill('SIGTERM');
    expect((await answering).status).toBe(200);
    expect(await exited).toEqual([0, null]);
  });
});
