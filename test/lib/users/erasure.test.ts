/** The contract of erasure and export. It runs on every row store. */
import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createAnswerCache } from '../../../src/lib/cache/answer-cache.ts';
import { createMemoryTier } from '../../../src/lib/cache/cache-tier.ts';
import { partitionName } from '../../../src/lib/cache/cache-tier.ts';
import { createCachedUserData } from '../../../src/lib/cache/user-partition.ts';
import { forEachConcurrently, PendingWork } from '../../../src/lib/common/pending-work.ts';
import { ChatHistory } from '../../../src/lib/history/chat-history.ts';
import { Claims } from '../../../src/lib/history/idempotency.ts';
import { purgeSessions } from '../../../src/lib/history/purge.ts';
import type { RowStore } from '../../../src/lib/history/row-store.ts';
import { FORGOTTEN, SessionIndex } from '../../../src/lib/history/session-index.ts';
import { FIRST_POSITION } from '../../../src/lib/history/session-rows.ts';
import { createTableRowStore } from '../../../src/lib/history/table-row-store.ts';
import { Erasures, type UserData, type UserRecord } from '../../../src/lib/users/erasure.ts';
import { UserGenerations } from '../../../src/lib/users/generations.ts';
import { createUserSessions } from '../../../src/lib/users/user-sessions.ts';
import { createMemoryRowStore } from '../../support/memory-row-store.ts';
import { storage } from '../../support/azurite.ts';

const DAY_MS = 24 * 3_600_000;
const TTL_MS = 30 * DAY_MS;
const WAIT_MS = 60_000;
const SECRET = 'Xylophonist';
/** A table of its own, so that all rows can be searched. */
const onTable = (): Promise<RowStore> =>
  createTableRowStore({
    connectionString: storage,
    tableName: `erasure${randomUUID().replaceAll('-', '')}`,
  });

/** What another part of the app keeps, of which nothing is exported. */
const partOf = (erase: () => Promise<void>): UserData => ({ erase, async *export() {} });

describe.each<[string, () => RowStore | Promise<RowStore>]>([
  ['in memory', createMemoryRowStore],
  ['in Table Storage', onTable],
])('a user %s', (_, open) => {
  let store: RowStore;
  let history: ChatHistory;
  let index: SessionIndex;
  let claims: Claims;
  let userId: string;
  let sessions: UserData;
  let warnings: string[];
  let stopped: object[];
  const sessionOf = (sessionId: string, owner = userId) => ({ userId: owner, sessionId });

  beforeEach(async () => {
    store = await open();
    history = new ChatHistory(store, TTL_MS);
    index = new SessionIndex(store, TTL_MS);
    claims = new Claims(store);
    userId = JSON.stringify(['aad', randomUUID()]);
    [warnings, stopped] = [[], []];
    sessions = createUserSessions({ store, history, index, live: { forget: (user) => stopped.push(user) } });
  });
  afterEach(() => void vi.useRealTimers());

  const erasuresOf = (...userData: UserData[]): Erasures =>
    new Erasures({
      store,
      userData: [sessions, ...userData],
      pending: new PendingWork(),
      warn: (message) => warnings.push(message),
    });
  const erase = (): Promise<unknown> => erasuresOf().erase(userId, WAIT_MS);

  /** A question and its answer, as they are stored one after the other. */
  async function converse(sessionId: string, question: string, owner = userId): Promise<void> {
    const session = sessionOf(sessionId, owner);
    const position = await history.read(session, 10);
    if (position.lastMs === 0) await index.reserve(owner, sessionId, position.epoch);
    await history.append(session, position, { question, answer: `About ${question}` });
    const firstQuestion = position.lastMs === 0 ? question : undefined;
    await index.note(owner, { sessionId, epoch: position.epoch, firstQuestion });
  }
  async function claim(sessionId: string, question: string): Promise<void> {
    const leaseUntil = Date.now() + 60_000;
    const request = { idempotencyKey: 'k', content: [question] as [string], arrivedAt: Date.now() };
    await claims.claim({ ...request, session: sessionOf(sessionId), leaseUntil });
  }
  /** All rows as text, as a search of the bytes would see them. */
  async function everything(): Promise<string> {
    const rows = [];
    const names = ['h0', 'a0', 'z0', 'title', 'sessionId', 'question', 'key', 'userId', 'owner'];
    for await (const page of store.scan({ partition: '', key: '' }, names)) rows.push(...page);
    return JSON.stringify(rows);
  }
  async function exported(owner = userId): Promise<UserRecord[]> {
    const records = [];
    for await (const record of sessions.export(owner)) records.push(record);
    return records;
  }

  it('is erased: no row has a text, a title or an id of the user any more', async () => {
    for (const name of ['a', 'b']) {
      await converse(`${SECRET} ${name}`, `${SECRET} ${name}?`);
      await converse(`${SECRET} ${name}`, `more ${SECRET}?`);
    }
    await converse('long', `${SECRET} ${'é𝒳'.repeat(9000)}`);
    await claim('claimed', SECRET);
    await index.reserve(userId, 'claimed', 0);
    await history.delete(sessionOf(`${SECRET} b`));
    expect(await everything()).toContain(SECRET);

    expect(await erasuresOf().erase(userId, WAIT_MS)).toMatchObject({ state: 'erased' });
    const left = await everything();
    expect(left).not.toContain(SECRET);
    expect(left).not.toMatch(/"(?:h0|a0|z0)":|"(?:title|sessionId)":"[^"]/);
    expect(left).not.toContain(JSON.parse(userId)[1]);
    expect(stopped).toEqual([{ userId }]);
    expect(await index.list(userId, 10)).toEqual({ sessions: [], before: null });
    expect(await exported()).toEqual([]);
  });

  it('is erased alone: the sessions of others stay, even those with the same id', async () => {
    const other = JSON.stringify(['aad', randomUUID()]);
    await converse('shared', SECRET);
    await converse('shared', 'of the other', other);
    await erase();
    expect((await index.list(other, 10)).sessions).toMatchObject([{ title: 'of the other' }]);
    expect((await history.read(sessionOf('shared', other), 10)).interactions).toHaveLength(1);
    expect((await history.read(sessionOf('shared'), 10)).interactions).toEqual([]);
  });

  it('can go on in a session that was erased, and be erased again', async () => {
    await converse('s', `${SECRET} 1`);
    await erase();
    await converse('s', `${SECRET} 2`);
    expect((await index.list(userId, 10)).sessions).toMatchObject([{ sessionId: 's', title: `${SECRET} 2` }]);
    expect((await exported()).map(({ type }) => type)).toEqual(['session', 'interaction']);
    await erase();
    expect(await everything()).not.toContain(SECRET);
  });

  it('is erased with more sessions than a page of the list has', async () => {
    const ids = Array.from({ length: 130 }, (__, count) => `${SECRET} ${count}`);
    await forEachConcurrently(ids, (id) => index.reserve(userId, id, 0));
    for (const id of ids.slice(-3)) await converse(id, SECRET);
    await erase();
    expect(await everything()).not.toContain(SECRET);
  });

  it.each([
    ['known', true],
    ['new', false],
  ])('is erased while an answer in a %s session is on its way: its rows are gone too', async (__, known) => {
    if (known) await converse('s', 'before');
    const position = await history.read(sessionOf('s'), 10);
    if (!known) await index.reserve(userId, 's', position.epoch);
    await erase();
    const key = await history.append(sessionOf('s'), position, { question: SECRET, answer: SECRET });
    // Nobody sees it, and who has written it learns that it has to go.
    expect((await history.read(sessionOf('s'), 10)).interactions).toEqual([]);
    expect(await index.note(userId, { sessionId: 's', epoch: position.epoch })).toBe(FORGOTTEN);
    await history.remove(sessionOf('s'), [key]);
    expect(await everything()).not.toContain(SECRET);
    expect((await index.list(userId, 10)).sessions).toEqual([]);
  });

  it('loses an answer that came late even if its process dies before it has removed it', async () => {
    const position = FIRST_POSITION;
    await index.reserve(userId, 's', position.epoch);
    await erase();
    await history.append(sessionOf('s'), position, { question: SECRET, answer: SECRET });
    await purgeSessions(store, TTL_MS, WAIT_MS);
    expect(await everything()).not.toContain(SECRET);
  });

  it('is erased to the end by the timer when the process dies on the way, but not what came later', async () => {
    const begunAt = Date.now();
    await converse('s', SECRET);
    // The process that has begun it is gone before it reaches the sessions.
    const hanging = partOf(() => new Promise(() => {}));
    void new Erasures({ store, userData: [hanging], pending: new PendingWork(), warn: () => {} }).erase(
      userId,
      WAIT_MS,
    );
    await vi.waitFor(async () => expect(await store.list('erasures')).toHaveLength(1));
    const log = { info: () => {}, warn: () => {}, error: () => {} };
    await erasuresOf().resume(log);
    // Its process may still be at work.
    expect(await exported()).toHaveLength(2);

    vi.useFakeTimers({ toFake: ['Date'], now: begunAt + 10 * 60_000 });
    await converse('new', 'afterwards');
    await erasuresOf().resume(log);
    expect(await everything()).not.toContain(SECRET);
    expect((await exported()).map(({ question }) => question)).toEqual([undefined, 'afterwards']);
    expect(await store.list('erasures')).toEqual([]);
  });

  it('is not reported as erased while a part fails, and is when the request comes again', async () => {
    await converse('s', SECRET);
    let fails = true;
    const part = partOf(async () => {
      if (fails) throw new Error('the part is away');
    });
    await expect(erasuresOf(part).erase(userId, WAIT_MS)).rejects.toThrow('the part is away');
    expect(warnings).toEqual([expect.stringContaining('the part is away')]);
    fails = false;
    expect(await erasuresOf(part).erase(userId, WAIT_MS)).toMatchObject({ state: 'erased' });
    expect(await store.list('erasures')).toEqual([]);
  });

  it('is erased by the timer even if the erasure of another one fails every time', async () => {
    await converse('s', SECRET);
    const then = String(Date.now() - 10 * 60_000);
    for (const user of ['other', userId])
      await store.merge('erasures', user === 'other' ? '0' : 'z', { userId: user, startedAt: then });
    const failing: UserData = {
      erase: async (user) => {
        if (user === 'other') throw new Error('the part is away');
      },
      async *export() {},
    };
    const finished: string[] = [];
    const log = { info: (line: string) => finished.push(line), warn: () => {}, error: () => {} };
    const all = { store, userData: [failing], pending: new PendingWork(), warn: () => {} };
    await new Erasures(all).resume(log);
    expect(finished).toHaveLength(1);
  });

  it('hears after a while that the erasure goes on', async () => {
    const ended = Promise.withResolvers<void>();
    const erasures = erasuresOf(partOf(() => ended.promise));
    expect(await erasures.erase(userId, 1)).toMatchObject({ state: 'erasing' });
    ended.resolve();
    expect(await erasures.erase(userId, WAIT_MS)).toMatchObject({ state: 'erased' });
  });

  it('is exported: sessions with titles, interactions from the oldest on, questions without an answer', async () => {
    const turns = Array.from({ length: 45 }, (__, count) => `question ${count}`);
    for (const question of turns) await converse('s', question);
    await claim('s', 'in progress');
    await converse('deleted', 'x');
    await index.forget(userId, 'deleted', (await history.delete(sessionOf('deleted'))).position.epoch);
    const records = await exported();
    expect(records[0]).toMatchObject({ type: 'session', session_id: 's', title: 'question 0' });
    expect(records.slice(1, -1).map(({ question }) => question)).toEqual(turns);
    expect(records[1]).toEqual({
      type: 'interaction',
      session_id: 's',
      position: expect.stringMatching(/^\d{13}-\d{13}-/) as string,
      asked_at: expect.stringMatching(/Z$/) as string,
      question: 'question 0',
      answer: 'About question 0',
    });
    expect(records.at(-1)).toMatchObject({ type: 'question', key: 'k', state: 'answering' });
  });

  it('has cached answers of a generation that no instance finds after the erasure', async () => {
    const generations = new UserGenerations(store, DAY_MS);
    const work = new PendingWork();
    const cacheOf = () =>
      createAnswerCache(
        [createMemoryTier(1e6)],
        { ttlMs: DAY_MS, staleIfErrorMs: 0 },
        {
          work,
          warn: (message) => warnings.push(message),
          modelOf: () => undefined,
        },
      );
    const [cache, elsewhere] = [cacheOf(), cacheOf()];
    const keyOf = async (owner: string, generation?: number) =>
      `answer:6:${partitionName({ userId: owner, generation: generation ?? (await generations.current(owner)) })}h`;
    const tokens = { prompt: 1, completion: 1, cached: 0, cacheWrite: 0, reasoning: 0 };
    const answer = { text: SECRET, endpoint: 0, tokens };
    for (const each of [cache, elsewhere]) await each.store(await keyOf(userId), answer);
    await cache.store(await keyOf('other'), answer);

    await erasuresOf(createCachedUserData(cache, generations)).erase(userId, WAIT_MS);
    expect((await cache.lookUp(await keyOf(userId, 0))).result).toBe('miss');
    expect((await cache.lookUp(await keyOf('other'))).result).toBe('hit');
    expect((await elsewhere.lookUp(await keyOf(userId))).result).toBe('miss');
    // A model call that began before.
    await cache.store(await keyOf(userId, 0), answer);
    expect((await cache.lookUp(await keyOf(userId, 0))).result).toBe('miss');
    await cache.store(await keyOf(userId), answer);
    expect((await cache.lookUp(await keyOf(userId))).result).toBe('hit');

    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + TTL_MS });
    await purgeSessions(store, TTL_MS, WAIT_MS);
    expect(await generations.current(userId)).toBeGreaterThan(0);
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 3 * DAY_MS });
    await purgeSessions(store, TTL_MS, WAIT_MS);
    expect(await generations.current(userId)).toBe(0);
  });
});
