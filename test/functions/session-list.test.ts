/** GET /sessions of a user with many sessions: one request per page, ordered by last use, under concurrent writes. */
import { randomUUID } from 'node:crypto';
import { expect, it } from 'vitest';
import { ask, eventually } from '../support/app.ts';
import { useAppBehindProxy } from '../support/fixture.ts';

interface SessionList {
  sessions: { session_id: string; title: string }[];
  next: string | null;
}

const { app, proxy } = useAppBehindProxy({ WEBSITE_AUTH_ENABLED: 'True' });

const signedIn = (id: string): Record<string, string> => ({
  'x-ms-client-principal': Buffer.from('{"auth_typ":"aad","claims":[]}').toString('base64'),
  'x-ms-client-principal-id': id,
  'x-ms-client-principal-name': `${id}@example.com`,
  'x-ms-client-principal-idp': 'aad',
});
const listOf = async (user: Record<string, string>, path = '/sessions'): Promise<SessionList> =>
  (await (await fetch(app.url + path, { headers: user })).json()) as SessionList;
async function allOf(user: Record<string, string>): Promise<SessionList['sessions']> {
  const all: SessionList['sessions'] = [];
  for (let path: string | null = '/sessions'; path !== null;) {
    const list = await listOf(user, path);
    all.push(...list.sessions);
    path = list.next;
  }
  return all;
}

it(
  'a page is read with one storage request, however many sessions there are',
  { tags: ['long'] },
  async () => {
    const user = signedIn(randomUUID());
    const ids = Array.from({ length: 120 }, () => randomUUID());
    for (const session_id of ids) await ask(app, { question: `About ${session_id}`, session_id }, user);
    await eventually(async () => (await allOf(user)).length === ids.length);
    proxy.reset();
    // A page and one more row: storage may return any smaller number of rows.
    proxy.maxPageSize = 51;
    const first = await listOf(user);
    expect(first.sessions.map(({ session_id }) => session_id)).toEqual(ids.slice(-50).toReversed());
    expect(proxy.requests.map(({ kind }) => kind)).toEqual(['query']);
    await listOf(user, first.next ?? '');
    expect(proxy.requests).toHaveLength(2);
  },
);

it('concurrent questions leave one entry of their session, with its title', async () => {
  const user = signedIn(randomUUID());
  const session_id = randomUUID();
  await ask(app, { question: 'The first?', session_id }, user);
  await Promise.all(
    Array.from({ length: 8 }, (_, index) => ask(app, { question: `Number ${index}`, session_id }, user)),
  );
  const other = randomUUID();
  await ask(app, { question: 'Another?', session_id: other }, user);
  await eventually(async () => (await allOf(user)).some((session) => session.session_id === other));
  await eventually(async () => {
    const writes = proxy.requests.filter(({ kind }) => kind === 'batch' || kind === 'update');
    return writes.every(({ status }) => status !== null);
  });
  const list = await allOf(user);
  expect(list.map(({ title }) => title).toSorted()).toEqual(['Another?', 'The first?']);
});

it(
  'a session that moves to the front during paging is not listed again at its old position',
  { tags: ['long'] },
  async () => {
    const user = signedIn(randomUUID());
    const ids = Array.from({ length: 60 }, () => randomUUID());
    for (const session_id of ids) await ask(app, { question: 'q', session_id }, user);
    await eventually(async () => (await allOf(user)).length === ids.length);
    const first = await listOf(user);
    const moved = ids[0] ?? '';
    await ask(app, { question: 'again', session_id: moved }, user);
    await eventually(async () => (await listOf(user)).sessions[0]?.session_id === moved);
    const second = await listOf(user, first.next ?? '');
    expect(second.sessions.map(({ session_id }) => session_id)).toEqual(ids.slice(1, 10).toReversed());
  },
);
