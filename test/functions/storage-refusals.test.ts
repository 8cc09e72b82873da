/** Refusals of Table Storage: an answer is reported as stored only if it is stored. */
import { randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { AskFields } from '../../src/lib/contract/ask-fields.ts';
import { ask, askForError, newQuestion, post } from '../support/app.ts';
import type { StorageRefusal } from '../support/storage-refusals.ts';
import { useAppBehindProxy } from '../support/fixture.ts';

const TABLE_BEING_DELETED: StorageRefusal = { status: 409, code: 'TableBeingDeleted' };
const RESOURCE_NOT_FOUND: StorageRefusal = { status: 404, code: 'ResourceNotFound' };
const PRECONDITION: StorageRefusal = { status: 412, code: 'ConditionNotMet' };
const UNSTORED = { history_saved: false };

const { app, proxy } = useAppBehindProxy();

const call = (path: string, method = 'GET') => fetch(`${app.url}${path}`, { method });

const idempotentQuestion = () => ({
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
    it('is reported as not stored', async () => {
      proxy.failNext('insert', refusal);
      const { session_id, performance_metrics: metrics } = await ask(app, { question: newQuestion() });
      expect(metrics).toMatchObject(UNSTORED);
      expect((await call(`/sessions/${session_id}`)).status).toBe(404);
    });

    it('is reported as not stored with an Idempotency-Key', async () => {
      proxy.failNext('batch', refusal, Infinity);
      const fields = { question: newQuestion(), session_id: randomUUID() };
      const headers = { 'Idempotency-Key': randomUUID() };
      expect((await ask(app, fields, headers)).performance_metrics).toMatchObject(UNSTORED);
      proxy.reset();
      // The claim was released, so that a repeat is answered again and stored.
      expect((await ask(app, fields, headers)).performance_metrics).toMatchObject({ history_saved: true });
    });

    it('is a 503 for a reset, and the conversation is kept', async () => {
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

it('a claim that cannot be stored is a 503, and the model is not called', async () => {
  const fields = { question: newQuestion(), session_id: randomUUID() };
  proxy.failNext('insert', TABLE_BEING_DELETED, Infinity);
  const refused = await askForError(app, fields, { 'Idempotency-Key': randomUUID() });
  expect(refused).toMatchObject({ status: 503, body: { error: { code: 'history_unavailable' } } });
  expect(app.emulator.requests).toEqual([]);
});

it('rows that cannot be deleted because their table is being deleted are left to the purge', async () => {
  const { session_id } = await ask(app, { question: newQuestion() });
  proxy.failNext('batch', RESOURCE_NOT_FOUND);
  proxy.failNext('remove', TABLE_BEING_DELETED);
  const before = app.output().length;
  expect((await call(`/sessions/${session_id}`, 'DELETE')).status).toBe(204);
  expect(app.output().slice(before)).toContain('until the next purge');
  expect((await call(`/sessions/${session_id}`)).status).toBe(404);
});

it('a claim that disappears while it is inspected is acquired', async () => {
  const session_id = randomUUID();
  const fields = { question: newQuestion(), session_id };
  const headers = { 'Idempotency-Key': randomUUID() };
  // Another request's claim, released between the two calls.
  proxy.failNext('insert', { status: 409, code: 'EntityAlreadyExists' });
  proxy.failNext('get', { status: 404, code: 'EntityNotFound' });
  expect((await ask(app, fields, headers)).performance_metrics).toMatchObject({ history_saved: true });
});

it('a failed read of a claim is a 503, and not treated as a missing claim', async () => {
  proxy.failNext('insert', { status: 409, code: 'EntityAlreadyExists' });
  proxy.failNext('get', { status: 404, code: 'AccountNotFound' });
  const fields = { question: newQuestion(), session_id: randomUUID() };
  const refused = await askForError(app, fields, { 'Idempotency-Key': randomUUID() });
  expect(refused).toMatchObject({ status: 503, body: { error: { code: 'history_unavailable' } } });
});

describe('a missing table', () => {
  const tableNotFound: StorageRefusal = { status: 404, code: 'TableNotFound' };

  it.each([
    ['insert', {}],
    ['batch', { 'Idempotency-Key': 'gone' }],
  ] as const)('is recreated, and the answer is stored (%s)', async (kind, headers) => {
    proxy.failNext(kind, tableNotFound);
    const fields = { question: newQuestion(), session_id: randomUUID() };
    expect((await ask(app, fields, headers)).performance_metrics).toMatchObject({ history_saved: true });
    expect(proxy.requests.filter((request) => request.kind === 'other')).toHaveLength(1);
  });

  it('that cannot be recreated yet: the answer reports that it is not stored', async () => {
    proxy.failNext('insert', tableNotFound);
    proxy.failNext('other', TABLE_BEING_DELETED);
    expect((await ask(app, { question: newQuestion() })).performance_metrics).toMatchObject(UNSTORED);
  });

  it('has no conversation to read', async () => {
    const { session_id } = await ask(app, { question: newQuestion() });
    // Both the interactions and what is being answered.
    proxy.failNext('query', tableNotFound, 2);
    expect((await call(`/sessions/${session_id}`)).status).toBe(404);
    proxy.failNext('query', TABLE_BEING_DELETED);
    expect((await call(`/sessions/${session_id}`)).status).toBe(503);
  });
});

it.each([
  [{ status: 412, code: 'UpdateConditionNotSatisfied' }, 'another request has taken over the claim'],
  [{ status: 403, code: 'AuthenticationFailed' }, 'the whole transaction is refused'],
])('a transaction refused with %o is not stored: %s', async (refusal) => {
  proxy.failNext('batch', refusal, Infinity);
  const { fields, headers } = idempotentQuestion();
  expect((await ask(app, fields, headers)).performance_metrics).toMatchObject(UNSTORED);
  proxy.reset();
  expect(await isReplayed(fields, headers)).toBe(false);
});

it('a transaction refused although the claim is held is made again', async () => {
  proxy.failNext('batch', { status: 412, code: 'UpdateConditionNotSatisfied' });
  const { fields, headers } = idempotentQuestion();
  expect((await ask(app, fields, headers)).performance_metrics).toMatchObject({ history_saved: true });
  expect(await isReplayed(fields, headers)).toBe(true);
});

it('a claim whose state stays unknown is a 503 after a few requests', async () => {
  proxy.failNext('insert', { status: 409, code: 'EntityAlreadyExists' }, Infinity);
  const fields = { question: newQuestion(), session_id: randomUUID() };
  const refused = await askForError(app, fields, { 'Idempotency-Key': randomUUID() });
  expect(refused).toMatchObject({ status: 503, body: { error: { code: 'history_unavailable' } } });
  expect(proxy.requests.length).toBeLessThan(20);
  expect(app.emulator.requests).toEqual([]);
});

describe('a transaction whose response times out', () => {
  it('was committed: the answer reports that it is stored, and the repeat is replayed', async () => {
    const { fields, headers } = idempotentQuestion();
    proxy.failNext('batch', { late: 4000 });
    expect((await ask(app, fields, headers)).performance_metrics).toMatchObject({ history_saved: true });
    expect(await isReplayed(fields, headers)).toBe(true);
    expect([app.emulator.requests.length, await countOf(fields.session_id)]).toEqual([1, 1]);
  });

  it(
    'was committed, but that cannot be verified: the answer reports that it is not stored, and the repeat is replayed',
    { tags: ['long'] },
    async () => {
      const { fields, headers } = idempotentQuestion();
      proxy.failNext('batch', { late: 8000 });
      proxy.failNext('get', 'hold');
      expect((await ask(app, fields, headers)).performance_metrics).toMatchObject(UNSTORED);
      expect(await isReplayed(fields, headers)).toBe(true);
      expect([app.emulator.requests.length, await countOf(fields.session_id)]).toEqual([1, 1]);
    },
  );

  it('was not committed: the answer reports it, and the repeat is answered and stored', async () => {
    const { fields, headers } = idempotentQuestion();
    proxy.failNext('batch', 'hold');
    expect((await ask(app, fields, headers)).performance_metrics).toMatchObject(UNSTORED);
    expect(await isReplayed(fields, headers)).toBe(false);
    expect([app.emulator.requests.length, await countOf(fields.session_id)]).toEqual([2, 1]);
  });
});
