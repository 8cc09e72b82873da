/** The contract of the chat history. It runs on every row store. */
import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ChatHistory } from '../../../src/lib/history/chat-history.ts';
import { errors } from '../../../src/lib/contract/errors.ts';
import type { ClaimEnd } from '../../../src/lib/history/answer-rows.ts';
import { Claims } from '../../../src/lib/history/idempotency.ts';
import {
  digest,
  FIRST_POSITION,
  type Interaction,
  interactionKey,
  type SessionKey,
  sessionPartition,
} from '../../../src/lib/history/session-rows.ts';
import { purgeSessions } from '../../../src/lib/history/purge.ts';
import type { RowStore } from '../../../src/lib/history/row-store.ts';
import { createMemoryRowStore } from '../../support/memory-row-store.ts';
import { SessionIndex } from '../../../src/lib/history/session-index.ts';
import { createTableRowStore } from '../../../src/lib/history/table-row-store.ts';
import { storage } from '../../support/azurite.ts';

const DAY_MS = 24 * 3_600_000;
const TTL_MS = 30 * DAY_MS;
const LIMIT = 10;
const turn = (name: string | number): Interaction => ({
  question: `question ${name}`,
  answer: `answer ${name}`,
});

/** Sets the clock, which decides the times of stored rows. */
const setClock = (ms: number): void => void vi.useFakeTimers({ toFake: ['Date'], now: ms });
/** The end of a lease that does not expire during a test. */
const later = (): number => Date.now() + 60_000;

/** The end of a claim whose question has failed. */
const failed = (): ClaimEnd => ({
  state: 'failed',
  failure: errors.interrupted(),
  rememberUntil: later(),
});

/** Reads all pages of a session, the newest first. */
async function pagesOf(history: ChatHistory, session: SessionKey, limit: number) {
  const all = [];
  let before: string | undefined;
  do {
    const page = await history.readPage(session, limit, before);
    all.push(page);
    before = page?.before ?? undefined;
  } while (before !== undefined);
  return all;
}

const onTable = (name: string): Promise<RowStore> =>
  createTableRowStore({ connectionString: storage, tableName: name });

describe.each<[string, () => Promise<RowStore>]>([
  ['in memory', async () => createMemoryRowStore()],
  ['in Table Storage', () => onTable('contract')],
])('chat history %s', (place, open) => {
  let store: RowStore;
  let history: ChatHistory;
  let session: SessionKey;
  beforeEach(async () => {
    store = await open();
    history = new ChatHistory(store, TTL_MS);
    session = { userId: null, sessionId: randomUUID() };
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  const read = async () => (await history.read(session, LIMIT)).interactions;
  const append = async (...interactions: Interaction[]): Promise<void> => {
    for (const interaction of interactions) {
      await history.append(session, await history.read(session, LIMIT), interaction);
    }
  };

  it('is empty for an unknown session', async () => {
    expect(await history.read(session, LIMIT)).toEqual({ ...FIRST_POSITION, interactions: [] });
  });

  it('returns interactions oldest first', async () => {
    await append(turn(1), turn(2), turn(3));
    expect(await read()).toEqual([turn(1), turn(2), turn(3)]);
  });

  it('returns the newest interactions up to the limit', async () => {
    const turns = Array.from({ length: LIMIT + 3 }, (__, index) => turn(index));
    await append(...turns);
    expect(await read()).toEqual(turns.slice(3));
    expect((await history.read(session, 1)).interactions).toEqual(turns.slice(-1));
  });

  it('separates sessions and users, whatever their names', async () => {
    const others: SessionKey[] = [
      { userId: 'u', sessionId: session.sessionId },
      { userId: null, sessionId: `${session.sessionId} ` },
      { userId: null, sessionId: `["${session.sessionId}"]` },
    ];
    await append(turn(1));
    for (const other of others) expect((await history.read(other, LIMIT)).interactions).toEqual([]);
  });

  it.each(['../../etc', 'a/b#c?d\\e', 'x'.repeat(256), "o'hara", '💥\u0000\u0007', ' '])(
    'accepts any text as a session id: %s',
    async (name) => {
      session = { userId: randomUUID(), sessionId: name };
      await append(turn(1));
      expect(await read()).toEqual([turn(1)]);
    },
  );

  it.each([
    ['empty', ''],
    ['with every kind of character', 'a\u0000\u001f\ud83d\ude00é\u200f\uffff"\\\r\n'],
    ['with surrounding whitespace', '  \n text \t '],
    ['just short enough to stay uncompressed', 'x'.repeat(4090)],
    ['long', 'äöü𝒳'.repeat(20_000)],
    ['long and hard to compress', Array.from({ length: 5000 }, () => randomUUID()).join('')],
  ])('returns text unchanged: %s', async (__, text) => {
    await append({ question: text, answer: 'short' }, { question: 'short', answer: text });
    expect(await read()).toEqual([
      { question: text, answer: 'short' },
      { question: 'short', answer: text },
    ]);
  });

  it('stores all concurrent interactions, and every later read returns them in the same order', async () => {
    await append(turn('first'));
    const position = await history.read(session, LIMIT);
    const turns = Array.from({ length: 9 }, (__, index) => turn(index));
    await Promise.all(turns.map((interaction) => history.append(session, position, interaction)));
    const seen = await read();
    expect(seen[0]).toEqual(turn('first'));
    expect(seen.slice(1)).toHaveLength(9);
    expect(new Set(seen.map(({ question }) => question)).size).toBe(10);
    expect(await read()).toEqual(seen);
  });

  it('orders an answer after the interactions that its question saw, even when the clock goes back', async () => {
    await append(turn(1));
    const clock = vi.spyOn(Date, 'now').mockReturnValue(Date.now() - 3_600_000);
    await append(turn(2));
    clock.mockRestore();
    expect(await read()).toEqual([turn(1), turn(2)]);
  });

  it('starts a new conversation on reset', async () => {
    await append(turn(1), turn(2));
    const position = await history.reset(session);
    expect(await read()).toEqual([]);
    await history.append(session, position, turn(3));
    await append(turn(4));
    expect(await read()).toEqual([turn(3), turn(4)]);
  });

  it('hides late writes to an old conversation', async () => {
    const old = await history.read(session, LIMIT);
    const current = await history.reset(session);
    await history.append(session, old, turn('late'));
    expect(await read()).toEqual([]);
    await history.append(session, current, turn('new'));
    expect(await read()).toEqual([turn('new')]);
  });

  it('can be reset repeatedly, even when the clock stands still', async () => {
    const clock = vi.spyOn(Date, 'now').mockReturnValue(Date.now());
    for (const name of ['a', 'b', 'c']) {
      const position = await history.reset(session);
      await history.append(session, position, turn(name));
      expect(await read()).toEqual([turn(name)]);
    }
    clock.mockRestore();
  });

  it('returns a full conversation after a reset: the marker does not count', async () => {
    await history.reset(session);
    const turns = Array.from({ length: LIMIT }, (__, index) => turn(index));
    await append(...turns);
    expect(await read()).toEqual(turns);
  });

  it.each([
    ['every plane, and surrogate pairs at every border', '𝒳\u{10ffff}é\u{e000}ab'],
    ['incompressible text', null],
  ])('stores 256 KB of question and of answer completely: %s', async (__, unit) => {
    const text = unit
      ? unit.repeat(Math.floor(262_144 / Buffer.byteLength(unit)))
      : Array.from({ length: 7000 }, () => randomUUID()).join('');
    await append({ question: text, answer: `${text}!` });
    expect(await read()).toEqual([{ question: text, answer: `${text}!` }]);
  });

  it('truncates an interaction that is too large for a row, and marks it', async () => {
    const long = Array.from({ length: 60_000 }, () => randomUUID()).join('') + '𝒳'.repeat(500_000);
    for (const turned of [
      { question: 'q', answer: long },
      { question: long, answer: 'a' },
    ]) {
      session = { userId: null, sessionId: randomUUID() };
      await append(turned, turn('next'));
      const [kept, next] = await read();
      const [whole, cut] =
        turned.answer === long ? [turned.answer, kept?.answer] : [turned.question, kept?.question];
      const [start, marker] = cut?.split('\n\n[') ?? [];
      expect(kept?.shortened).toBe(true);
      expect(marker).toBe('The rest was too long to be kept.]');
      expect(start?.length).toBeGreaterThan(500_000);
      expect(whole.startsWith(start ?? '-') && start?.isWellFormed()).toBe(true);
      expect(next).toEqual(turn('next'));
    }
  });

  describe('deleted', () => {
    it('is unknown afterwards, like a session that never existed', async () => {
      await append(turn(1), turn(2));
      expect(await history.delete(session)).toMatchObject({ removed: true });
      expect(await read()).toEqual([]);
      expect(await history.readPage(session, LIMIT)).toBeNull();
      const rows = await store.list(sessionPartition(session));
      expect(rows).toHaveLength(1);
      await history.delete({ userId: null, sessionId: randomUUID() });
    });

    it('is not restored by an answer that was in flight', async () => {
      const known = await history.read(session, LIMIT);
      await history.delete(session);
      await history.append(session, known, turn('late'));
      expect(await read()).toEqual([]);
      expect(await history.readPage(session, LIMIT)).toBeNull();
      await append(turn('new'));
      expect(await read()).toEqual([turn('new')]);
    });

    it('of any size', async () => {
      const position = await history.read(session, LIMIT);
      // A write may take 1.5 s, which more of them at once may exceed on a busy machine.
      for (let index = 0; index < 150; index += 25)
        await Promise.all(
          Array.from({ length: 25 }, (__, more) => history.append(session, position, turn(index + more))),
        );
      await history.delete(session);
      expect(await store.list(sessionPartition(session))).toHaveLength(1);
    });
  });

  describe('page by page', () => {
    it('is null for an unknown session', async () => {
      expect(await history.readPage(session, LIMIT)).toBeNull();
    });

    it('returns the newest page first, each page oldest first, with every interaction once', async () => {
      const turns = Array.from({ length: 7 }, (__, index) => turn(index));
      await history.reset(session);
      await append(...turns);
      const all = await pagesOf(history, session, 3);
      expect(all.map((page) => page?.interactions)).toMatchObject([
        turns.slice(4),
        turns.slice(1, 4),
        turns.slice(0, 1),
      ]);
      expect(all.map((page) => page?.count)).toEqual([7, 7, 7]);
      const [page] = all;
      expect(page?.createdAt).toBeLessThanOrEqual(page?.updatedAt ?? 0);
      expect(await pagesOf(history, session, 7)).toHaveLength(1);
    });

    it('continues beyond the rows of one response of the store', async () => {
      const position = await history.read(session, LIMIT);
      const count = 1100;
      // In batches: a busy machine could not store all of them within the time limit of a call.
      for (let start = 0; start < count; start += 50) {
        const turns = Array.from({ length: 50 }, (__, index) => turn(start + index));
        await Promise.all(turns.map((interaction) => history.append(session, position, interaction)));
      }
      const page = await history.readPage(session, 50);
      expect([page?.count, page?.interactions.length]).toEqual([count, 50]);
      const all = await pagesOf(history, session, 400);
      const questions = all.flatMap((one) => one?.interactions.map(({ question }) => question));
      expect(new Set(questions).size).toBe(count);
    });

    it('does not accept a position in a conversation that was reset', async () => {
      await append(turn(1), turn(2));
      const page = await history.readPage(session, 1);
      await history.reset(session);
      await append(turn(3), turn(4));
      expect(page?.before).toBeTypeOf('string');
      expect(await history.readPage(session, 1, page?.before ?? '')).toBeNull();
    });
  });

  describe('with time', () => {
    it('hides expired interactions, and continues in the same conversation', async () => {
      const now = Date.now();
      await history.reset(session);
      setClock(now + 1000);
      await append(turn('old'));
      setClock(now + TTL_MS);
      await append(turn('new'));
      setClock(now + TTL_MS + 2000);
      expect(await read()).toEqual([turn('new')]);
      expect(await history.readPage(session, LIMIT)).toMatchObject({ count: 1, interactions: [turn('new')] });
    });

    it('is purged in an order that never makes hidden interactions visible again', async () => {
      store = place === 'in memory' ? store : await onTable(`purge${Date.now()}`);
      history = new ChatHistory(store, TTL_MS);
      const now = Date.now();
      const rowsLeft = async () => (await store.list(sessionPartition(session))).length;
      await append(turn('forgotten'));
      await history.reset(session);
      await append(turn('old'));
      setClock(now + TTL_MS / 2);
      await append(turn('newer'));
      expect(await purgeSessions(store, TTL_MS, 60_000)).toMatchObject({ finished: true, removed: 1 });
      expect(await rowsLeft()).toBe(3);
      expect(await read()).toEqual([turn('old'), turn('newer')]);
      setClock(now + TTL_MS + 60_000);
      expect(await purgeSessions(store, TTL_MS, 60_000)).toMatchObject({ removed: 1 });
      expect(await read()).toEqual([turn('newer')]);
      // The marker is kept a day longer than the rows that it hides.
      setClock(now + 1.6 * TTL_MS);
      expect(await purgeSessions(store, TTL_MS, 60_000)).toMatchObject({ removed: 2 });
      expect(await rowsLeft()).toBe(0);
      expect(await history.readPage(session, LIMIT)).toBeNull();
    });

    it('is purged over several runs when one run has too little time', async () => {
      store = place === 'in memory' ? store : await onTable(`bits${Date.now()}`);
      history = new ChatHistory(store, TTL_MS);
      const sessions = Array.from({ length: 40 }, () => ({ userId: null, sessionId: randomUUID() }));
      for (const one of sessions) {
        for (const name of ['a', 'b', 'c']) await history.append(one, FIRST_POSITION, turn(name));
      }
      setClock(Date.now() + TTL_MS + 1000);
      let [removed, runs, finished] = [0, 0, false];
      for (; !finished && runs < 100; runs++) {
        const report = await purgeSessions(store, TTL_MS, 0);
        removed += report.removed;
        finished = report.finished;
      }
      expect([removed, finished]).toEqual([120, true]);
      // Table Storage returns a thousand rows at a time, which is all of them here.
      expect(runs).toBeGreaterThan(place === 'in memory' ? 30 : 0);
      expect(await purgeSessions(store, TTL_MS, 60_000)).toMatchObject({ removed: 0, finished: true });
    });

    it('is purged over several runs when one session is too large for one run', async () => {
      store = place === 'in memory' ? store : await onTable(`piece${Date.now()}`);
      history = new ChatHistory(store, TTL_MS);
      const partition = sessionPartition(session);
      const count = 1100;
      for (let start = 0; start < count; start += 100) {
        const rows = Array.from({ length: 100 }, () => interactionKey(FIRST_POSITION, Date.now()));
        await store.transact(
          partition,
          rows.map((key) => ({ type: 'insert', key, properties: { h0: 'forgotten', a0: '' } })),
        );
      }
      await history.reset(session);
      setClock(Date.now() + 2 * TTL_MS);
      const reports = [];
      do {
        reports.push(await purgeSessions(store, TTL_MS, 0));
        expect(await read()).toEqual([]);
      } while (reports.at(-1)?.finished === false && reports.length < 50);
      expect(reports.length).toBeGreaterThan(1);
      const removed = reports.map((report) => report.removed);
      expect(removed.reduce((sum, one) => sum + one)).toBe(count);
      // Only the marker remains, which hid the rows until the end. The next run finds no rows below it.
      expect(await store.list(partition)).toHaveLength(1);
      expect(await purgeSessions(store, TTL_MS, 60_000)).toMatchObject({ finished: true, removed: 1 });
      expect(await store.list(partition)).toEqual([]);
    });
  });

  describe('idempotency claims', () => {
    const content: [string, boolean] = ['question', false];
    const arrivedAt = Date.now();
    let claims: Claims;
    beforeEach(() => {
      claims = new Claims(store);
    });
    const claimed = async (key: string) => {
      const result = await claims.claim({
        session,
        idempotencyKey: key,
        content,
        arrivedAt,
        leaseUntil: later(),
      });
      if (result.state !== 'claimed') throw new Error(result.state);
      return result.claim;
    };

    it('are acquired by one of many concurrent requests', async () => {
      const results = await Promise.all(
        Array.from({ length: 10 }, () =>
          claims.claim({ session, idempotencyKey: 'k', content, arrivedAt, leaseUntil: later() }),
        ),
      );
      expect(results.map(({ state }) => state).toSorted()).toEqual([
        'claimed',
        ...Array.from({ length: 9 }, () => 'pending'),
      ]);
    });

    it('lead to the answer once it is stored', async () => {
      await append(turn('before'));
      const claim = await claimed('k');
      const position = await history.read(session, LIMIT);
      await history.append(session, position, turn(1), {
        alongside: (key) => claims.fulfil(claim, 'answered', key),
      });
      await append(turn('after'));
      const again = await claims.claim({
        session,
        idempotencyKey: 'k',
        content,
        arrivedAt,
        leaseUntil: later(),
      });
      expect(again.state).toBe('answered');
      const key = again.state === 'answered' ? again.interaction : '';
      expect(await history.readUpTo(session, key, LIMIT)).toEqual([turn('before'), turn(1)]);
      expect(
        await claims.claim({
          session,
          idempotencyKey: 'k',
          content: ['another', false],
          arrivedAt,
          leaseUntil: later(),
        }),
      ).toEqual({ state: 'conflict' });
      expect(
        (await claims.claim({ session, idempotencyKey: 'k2', content, arrivedAt, leaseUntil: later() }))
          .state,
      ).toBe('claimed');
      await history.reset(session);
      expect(await history.readUpTo(session, key, LIMIT)).toBeNull();
    });

    it('can be released', async () => {
      await claims.end(await claimed('k'), failed());
      await claims.end(await claimed('k'), failed());
    });

    it('are not released by a request that has lost its claim to another', async () => {
      const late = await claims.claim({
        session,
        idempotencyKey: 'k',
        content,
        arrivedAt,
        leaseUntil: Date.now() - 1,
      });
      await claimed('k');
      if (late.state === 'claimed') await claims.end(late.claim, failed());
      expect(
        await claims.claim({ session, idempotencyKey: 'k', content, arrivedAt, leaseUntil: later() }),
      ).toEqual({
        state: 'pending',
      });
    });

    it('are taken over after the lease, and the first holder then stores nothing', async () => {
      const late = await claims.claim({
        session,
        idempotencyKey: 'k',
        content,
        arrivedAt,
        leaseUntil: Date.now() - 1,
      });
      const next = await claimed('k');
      const store1 = history.append(session, FIRST_POSITION, turn('late'), {
        alongside: (key) => claims.fulfil(late.state === 'claimed' ? late.claim : next, 'answered', key),
      });
      await expect(store1).rejects.toThrow();
      await history.append(session, FIRST_POSITION, turn('next'), {
        alongside: (key) => claims.fulfil(next, 'answered', key),
      });
      expect(await read()).toEqual([turn('next')]);
    });

    it('are deleted with the session, and after a day', async () => {
      const claim = await claimed('k');
      await history.append(session, FIRST_POSITION, turn(1), {
        alongside: (key) => claims.fulfil(claim, 'answered', key),
      });
      await history.delete(session);
      expect(
        (await claims.claim({ session, idempotencyKey: 'k', content, arrivedAt, leaseUntil: later() })).state,
      ).toBe('claimed');
      setClock(Date.now() + DAY_MS + 1000);
      expect(
        (
          await claims.claim({
            session,
            idempotencyKey: 'k',
            content: ['another', false],
            arrivedAt,
            leaseUntil: later(),
          })
        ).state,
      ).toBe('claimed');
    });
  });

  describe('the session index', () => {
    let index: SessionIndex;
    let userId: string;
    beforeEach(() => {
      index = new SessionIndex(store, TTL_MS);
      userId = randomUUID();
    });
    const titles = async () => (await index.list(userId, LIMIT)).sessions.map(({ title }) => title);
    const note = (sessionId: string, epoch: number, firstQuestion?: string) =>
      index.note(userId, { sessionId, epoch, firstQuestion });

    it('lists the newest session first, with its first question as the title', async () => {
      const now = Date.now();
      for (const [offset, name] of ['a', 'b', 'c'].entries()) {
        setClock(now + offset);
        await note(name, 0, `${name}?\nmore`);
      }
      setClock(now + 10);
      await note('a', 0);
      expect(await titles()).toEqual(['a?', 'c?', 'b?']);
      const [first] = (await index.list(userId, 1)).sessions;
      expect(first).toMatchObject({ sessionId: 'a', createdAt: now, updatedAt: now + 10 });
      setClock(now + 11);
      await note('d', 0, '𝒳'.repeat(100));
      expect((await titles())[0]).toBe(`${'𝒳'.repeat(80)}…`);
    });

    it('is paged, with each session once', async () => {
      const now = Date.now();
      for (let number = 0; number < 7; number++) {
        setClock(now + number);
        await note(`s${number}`, 0, `${number}`);
      }
      const seen: string[] = [];
      let before: string | undefined;
      do {
        const page = await index.list(userId, 3, before);
        seen.push(...page.sessions.map(({ title }) => title));
        before = page.before ?? undefined;
      } while (before !== undefined);
      expect(seen).toEqual(['6', '5', '4', '3', '2', '1', '0']);
    });

    it('omits a deleted session despite late writers, until the session is used again', async () => {
      await note('s', 0, 'old');
      await index.forget(userId, 's', 5);
      await note('s', 0);
      expect(await titles()).toEqual([]);
      await note('s', 5, 'new');
      expect(await titles()).toEqual(['new']);
    });

    it('has one entry, the latest, for a session with concurrent writers', async () => {
      await note('s', 0, 'first');
      await Promise.all(Array.from({ length: 12 }, () => note('s', 0)));
      const { sessions } = await index.list(userId, LIMIT);
      expect(sessions.map(({ title }) => title)).toEqual(['first']);
    });

    it('is not changed by a late writer of a conversation that was reset', async () => {
      await note('s', 5, 'new');
      await note('s', 0, 'old');
      await index.forget(userId, 's', 5);
      expect(await titles()).toEqual(['new']);
    });

    it('is purged with its state rows, and usable after an interrupted purge', async () => {
      store = place === 'in memory' ? store : await onTable(`index${Date.now()}`);
      index = new SessionIndex(store, TTL_MS);
      const partition = digest('index', userId);
      const now = Date.now();
      await note('s', 0, 'old');
      await note('t', 0, 'forgotten');
      await index.forget(userId, 't', 1);
      setClock(now + TTL_MS);
      await note('u', 0, 'unused');
      setClock(now + TTL_MS + 2 * DAY_MS);
      expect(await purgeSessions(store, TTL_MS, 60_000)).toMatchObject({ removed: 3 });
      expect(await titles()).toEqual(['unused']);
      // Only the entry had been removed when the purge was interrupted.
      const entries = (await store.list(partition, { keysOnly: true })).map(({ key }) => key);
      await store.remove(
        partition,
        entries.filter((key) => !key.startsWith('state')),
      );
      await note('u', 0);
      expect(await titles()).toEqual(['unused']);
    });

    it('omits sessions of other users and expired ones', async () => {
      await note('s', 0, 'mine');
      expect((await index.list(randomUUID(), LIMIT)).sessions).toEqual([]);
      setClock(Date.now() + TTL_MS + 1000);
      expect(await titles()).toEqual([]);
    });
  });

  it('answers a check', async () => {
    await expect(history.check()).resolves.toBeUndefined();
  });
});

it('a response of storage that comes in time counts, if the process is too busy to read it by then', async () => {
  const store = await onTable('contract');
  const [session, key] = [randomUUID(), 'key'];
  await store.insert(session, key, { value: 'value' });
  const list = store.list(session);
  // The request is sent, and longer than the time limit nothing else happens here.
  await new Promise(setImmediate);
  const end = performance.now() + 2000;
  while (performance.now() < end);
  expect(await list).toHaveLength(1);
});
