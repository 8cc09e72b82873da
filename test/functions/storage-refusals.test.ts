/** What callers meet when Azure's Table Storage refuses: only what is stored is said to be stored. */
import { randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { AskFields } from '../../src/lib/contract/ask-fields.ts';
import { ask, askForError, newQuestion, post, type TestApp } from '../support/app.ts';
import { useAppBehindProxy } from '../support/app-behind-proxy.ts';
import type { StorageProxy } from '../support/storage-proxy.ts';
import type { StorageRefusal } from '../support/storage-refusals.ts';

const TABLE_BEING_DELETED: StorageRefusal = { status: 409, code: 'TableBeingDeleted' };
const RESOURCE_NOT_FOUND: StorageRefusal = { status: 404, code: 'ResourceNotFound' };
const PRECONDITION: StorageRefusal = { status: 412, code: 'ConditionNotMet' };
const UNSTORED = { history_saved: false };

let proxy: StorageProxy;
let app: TestApp;
useAppBehindProxy((started) => ({ app, proxy } = started));

const call = (path: string, method = 'GET') => fetch(`${app.url}${path}`, { method });

const asked = () => ({
  fields: { question: newQuestion(), session_id: randomUUID() },
  headers: { 'Idempotency-Key': randomUUID(), 'Cache-Control': 'no-store' },
});
const isReplayed = async (fields: AskFields, headers: Record<string, string>): Promise<boolean> => {
  const response = await post(app, JSON.stringify(fields), headers);
  expect(response.status).toBe(200);
  return response.headers.get('idempotency-replayed') === 'true';
};
const countOf = async (session_id: string): Promise<unknown> =>
  ((await (await call(`/sessions/${session_id}`)).json()) as { interaction_count: number }).interaction_count;

describe.each([TABLE_BEING_DELETED, RESOURCE_NOT_FOUND, PRECONDITION])(
  'a write refused with %o',
  (refusal) => {
    it('is not said to be stored', async () => {
      proxy.failNext('insert', refusal);
      const { session_id, performance_metrics: metrics } = await ask(app, { question: newQuestion() });
      expect(metrics).toMatchObject(UNSTORED);
      expect((await call(`/sessions/${session_id}`)).status).toBe(404);
    });

    it('is not said to be stored with an Idempotency-Key either', async () => {
      proxy.failNext('batch', refusal);
      const fields = { question: newQuestion(), session_id: randomUUID() };
      const headers = { 'Idempotency-Key': randomUUID() };
      expect((await ask(app, fields, headers)).performance_metrics).toMatchObject(UNSTORED);
      // The key was given back: the repeat is answered anew, and stored.
      expect((await ask(app, fields, headers)).performance_metrics).toMatchObject({ history_saved: true });
    });

    it('is a 503 when a conversation was to be forgotten, which is still there', async () => {
      const { session_id } = await ask(app, { question: newQuestion() });
      proxy.failNext('insert', refusal);
      const refused = await askForError(app, { question: newQuestion(), session_id, new_conversation: true });
      expect(refused).toMatchObject({ status: 503, body: { error: { code: 'history_unavailable' } } });
      proxy.reset();
      proxy.failNext('insert', refusal);
      expect((await call(`/sessions/${session_id}`, 'DELETE')).status).toBe(503);
      expect((await call(`/sessions/${session_id}`)).status).toBe(200);
    });
  },
);

it('a claim that cannot be stored is a 503, and the model is not asked', async () => {
  const fields = { question: newQuestion(), session_id: randomUUID() };
  proxy.failNext('insert', TABLE_BEING_DELETED, Infinity);
  const refused = await askForError(app, fields, { 'Idempotency-Key': randomUUID() });
  expect(refused).toMatchObject({ status: 503, body: { error: { code: 'history_unavailable' } } });
  expect(app.emulator.requests).toEqual([]);
});

it('rows that cannot be removed because their table is being deleted are left to the purge', async () => {
  const { session_id } = await ask(app, { question: newQuestion() });
  proxy.failNext('batch', RESOURCE_NOT_FOUND);
  proxy.failNext('remove', TABLE_BEING_DELETED);
  const before = app.output().length;
  expect((await call(`/sessions/${session_id}`, 'DELETE')).status).toBe(204);
  expect(app.output().slice(before)).toContain('left to the purge');
  expect((await call(`/sessions/${session_id}`)).status).toBe(404);
});

it('a row of an expired claim that is gone when it is taken over is claimed anew', async () => {
  const session_id = randomUUID();
  const fields = { question: newQuestion(), session_id };
  const headers = { 'Idempotency-Key': randomUUID() };
  // Somebody else`s claim, released between the two calls.
  proxy.failNext('insert', { status: 409, code: 'EntityAlreadyExists' });
  proxy.failNext('get', { status: 404, code: 'EntityNotFound' });
  expect((await ask(app, fields, headers)).performance_metrics).toMatchObject({ history_saved: true });
});

it('a look at a claim that fails is a 503, not a claim that is not there', async () => {
  proxy.failNext('insert', { status: 409, code: 'EntityAlreadyExists' });
  proxy.failNext('get', { status: 404, code: 'AccountNotFound' });
  const fields = { question: newQuestion(), session_id: randomUUID() };
  const refused = await askForError(app, fields, { 'Idempotency-Key': randomUUID() });
  expect(refused).toMatchObject({ status: 503, body: { error: { code: 'history_unavailable' } } });
});

describe('a table that is gone', () => {
  const gone: StorageRefusal = { status: 404, code: 'TableNotFound' };

  it.each([
    ['insert', {}],
    ['batch', { 'Idempotency-Key': 'gone' }],
  ] as const)('is made anew, and the answer stored (%s)', async (kind, headers) => {
    proxy.failNext(kind, gone);
    const fields = { question: newQuestion(), session_id: randomUUID() };
    expect((await ask(app, fields, headers)).performance_metrics).toMatchObject({ history_saved: true });
    expect(proxy.requests.filter((request) => request.kind === 'other')).toHaveLength(1);
  });

  it('and cannot be made anew yet: the answer says that it is not stored', async () => {
    proxy.failNext('insert', gone);
    proxy.failNext('other', TABLE_BEING_DELETED);
    expect((await ask(app, { question: newQuestion() })).performance_metrics).toMatchObject(UNSTORED);
  });

  it('has no conversation to read', async () => {
    const { session_id } = await ask(app, { question: newQuestion() });
    proxy.failNext('query', gone);
    expect((await call(`/sessions/${session_id}`)).status).toBe(404);
    proxy.failNext('query', TABLE_BEING_DELETED);
    expect((await call(`/sessions/${session_id}`)).status).toBe(503);
  });
});

it.each([
  [{ status: 412, code: 'UpdateConditionNotSatisfied' }, 'another has taken its claim over'],
  [{ status: 403, code: 'AuthenticationFailed' }, 'the whole of it is refused'],
])('a transaction refused with %o is not stored: %s', async (refusal) => {
  proxy.failNext('batch', refusal);
  const { fields, headers } = asked();
  expect((await ask(app, fields, headers)).performance_metrics).toMatchObject(UNSTORED);
  expect(await isReplayed(fields, headers)).toBe(false);
});

it('a claim whose state cannot be found out ends, after a few requests', async () => {
  proxy.failNext('insert', { status: 409, code: 'EntityAlreadyExists' }, Infinity);
  const fields = { question: newQuestion(), session_id: randomUUID() };
  const refused = await askForError(app, fields, { 'Idempotency-Key': randomUUID() });
  expect(refused).toMatchObject({ status: 503, body: { error: { code: 'history_unavailable' } } });
  expect(proxy.requests.length).toBeLessThan(20);
  expect(app.emulator.requests).toEqual([]);
});

describe('a transaction whose answer comes too late', () => {
  it('was done: the answer says that it is stored, and the repeat is not asked again', async () => {
    const { fields, headers } = asked();
    proxy.failNext('batch', { late: 4000 });
    expect((await ask(app, fields, headers)).performance_metrics).toMatchObject({ history_saved: true });
    expect(await isReplayed(fields, headers)).toBe(true);
    expect([app.emulator.requests.length, await countOf(fields.session_id)]).toEqual([1, 1]);
  });

  it('was done, which cannot be seen: the answer does not claim it, and the repeat is not asked again', async () => {
    const { fields, headers } = asked();
    proxy.failNext('batch', { late: 8000 });
    proxy.failNext('get', 'hold');
    expect((await ask(app, fields, headers)).performance_metrics).toMatchObject(UNSTORED);
    expect(await isReplayed(fields, headers)).toBe(true);
    expect([app.emulator.requests.length, await countOf(fields.session_id)]).toEqual([1, 1]);
  });

  it('was not done: the answer says so, and the repeat is asked and stored', async () => {
    const { fields, headers } = asked();
    proxy.failNext('batch', 'hold');
    expect((await ask(app, fields, headers)).performance_metrics).toMatchObject(UNSTORED);
    expect(await isReplayed(fields, headers)).toBe(false);
    expect([app.emulator.requests.length, await countOf(fields.session_id)]).toEqual([2, 1]);
  });
});
