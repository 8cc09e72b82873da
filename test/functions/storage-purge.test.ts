/** The timer that purges storage, when the table is missing or being deleted. */
import { randomUUID } from 'node:crypto';
import { expect, it } from 'vitest';
import { eventually } from '../support/app.ts';
import { useApp, useStorage } from '../support/fixture.ts';

const proxy = useStorage();
const app = useApp(() => ({
  env: {
    SESSIONS_STORAGE: proxy.connectionString,
    SESSIONS_TABLE_NAME: `t${randomUUID().replaceAll('-', '')}`,
  },
}));

/** Runs the purge. Returns the log output up to a match of `pattern`. */
async function purge(pattern: RegExp): Promise<string> {
  const before = app.output().length;
  const run = await fetch(`${app.url}/admin/functions/purge-sessions`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', 'x-functions-key': app.host.masterKey },
    body: '{}',
  });
  expect(run.status).toBe(202);
  await eventually(() => pattern.test(app.output().slice(before)));
  return app.output().slice(before);
}

it('does nothing when there is no table, and does not create it', async () => {
  expect(await purge(/purge: 0 of 0 rows/)).not.toMatch(/error|exception/i);
  expect(proxy.requests.filter(({ kind }) => kind !== 'get' && kind !== 'query')).toEqual([]);
});

it.each(['get', 'query'] as const)(
  'logs one line without a stack trace for a table that is being deleted (%s)',
  async (kind) => {
    proxy.failNext(kind, { status: 409, code: 'TableBeingDeleted' }, 2);
    expect(await purge(/purge: .*TableBeingDeleted/)).not.toMatch(/^ +at /m);
  },
);
