/** A budget that several processes spend: what holds in every order of their requests and their ends. */
import { randomUUID } from 'node:crypto';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Account } from '../../../src/lib/budget/account.ts';
import { purgeSessions } from '../../../src/lib/history/purge.ts';
import { digest } from '../../../src/lib/history/session-rows.ts';
import { Ledger } from '../../../src/lib/history/ledger.ts';
import type { RowStore } from '../../../src/lib/history/row-store.ts';
import { createTableRowStore } from '../../../src/lib/history/table-row-store.ts';
import { createMemoryRowStore } from '../../support/memory-row-store.ts';
import { scaled } from '../../support/effort.ts';
import { storage } from '../../support/azurite.ts';

const ENDS_AT = Date.UTC(2027, 0);
const LIMIT = 10_000;

let ids = 0;
const nextId = () => `w${++ids}`;
const open = (store: RowStore, name = 'app', limit = LIMIT) =>
  new Account(new Ledger(store, { parts: [name], startsAt: 0, rowEndsAt: ENDS_AT }, nextId), limit, ENDS_AT);

/** What the row says. */
async function spentIn(store: RowStore): Promise<number> {
  const rows = [];
  for await (const page of store.scan({ partition: '', key: '' }, ['spent'])) rows.push(...page);
  return Number(rows.find(({ key }) => key.startsWith('ledger-'))?.properties['spent'] ?? 0);
}

/** How a call of the store ends: as it should, without effect, or with its effect but without its response. */
const FAULTS = ['none', 'none', 'none', 'fails', 'response lost', 'response lost and repeated'] as const;

/** A store whose calls begin and end in the order that `scheduler` chooses. */
function scheduled(
  store: RowStore,
  scheduler: fc.Scheduler,
  faults: Iterator<(typeof FAULTS)[number]>,
): RowStore {
  const send = async <T>(call: () => Promise<T>): Promise<T> => {
    await scheduler.schedule(Promise.resolve());
    const { value: fault } = faults.next() as { value: (typeof FAULTS)[number] };
    if (fault === 'fails') throw new Error('no connection');
    const result = await call();
    if (fault === 'response lost') throw new Error('no response');
    if (fault === 'response lost and repeated') return call();
    await scheduler.schedule(Promise.resolve());
    return result;
  };
  return {
    ...store,
    get: (...args) => send(() => store.get(...args)),
    insert: (...args) => send(() => store.insert(...args)),
    replace: (...args) => send(() => store.replace(...args)),
  };
}

interface Step {
  process: number;
  reserved: number;
  /** Part of the reservation that is spent; null when the process dies before it knows. */
  share: number | null;
  givesBackAll: boolean;
}

const steps = fc.array(
  fc.record({
    process: fc.nat(3),
    reserved: fc.integer({ min: 1, max: LIMIT / 4 }),
    givesBackAll: fc.boolean(),
    share: fc.option(fc.double({ min: 0, max: 1, noNaN: true }), { freq: 8 }),
  }),
  { minLength: 5, maxLength: 40 },
);

describe('a budget that four processes spend', () => {
  it('is never exceeded, in any order and with any faults, and its row has all that was spent', async () => {
    await fc.assert(
      fc.asyncProperty(
        steps,
        fc.scheduler(),
        fc.infiniteStream(fc.constantFrom(...FAULTS)),
        async (all, scheduler, faults) => {
          const rows = createMemoryRowStore();
          const store = scheduled(rows, scheduler, faults);
          const accounts = [0, 1, 2, 3].map(() => open(store));
          let spent = 0;
          const ask = async ({ process, reserved, share, givesBackAll }: Step): Promise<void> => {
            const account = accounts[process] ?? expect.unreachable();
            const isGranted = await account.reserve(reserved).catch(() => false);
            if (!isGranted) return;
            await scheduler.schedule(Promise.resolve());
            // A process that dies has spent no more than it had reserved, and a new one takes its place.
            const cost = Math.floor(reserved * (share ?? 1));
            spent += cost;
            if (share === null) accounts[process] = open(store);
            else account.settle(reserved, cost);
            await account.giveBack(givesBackAll).catch(() => {});
          };
          const asking = Promise.all(all.map(ask));
          await scheduler.waitFor(asking);
          expect(spent).toBeLessThanOrEqual(LIMIT);
          expect(await spentIn(rows)).toBeGreaterThanOrEqual(spent);
          expect(await spentIn(rows)).toBeLessThanOrEqual(LIMIT);
        },
      ),
      { numRuns: scaled(1000, 100) },
    );
  });

  it('can be used up in one burst but for what one question reserves, with any number of processes', async () => {
    const store = createMemoryRowStore();
    const limit = 1_000_000_000;
    const accounts = Array.from({ length: 100 }, () => open(store, 'app', limit));
    const reserved = limit / 1000;
    const cost = reserved / 50;
    let spent = 0;
    // Nothing is given back meanwhile: so does a burst look that is shorter than the time of a look.
    for (let index = 0; ; index++) {
      const account = accounts[index % accounts.length] ?? expect.unreachable();
      if (!(await account.reserve(reserved))) break;
      spent += cost;
      account.settle(reserved, cost);
    }
    expect(spent).toBeGreaterThan(limit / 4);
    expect(await spentIn(store)).toBeLessThanOrEqual(limit);
  });

  it('can be used up over time, by processes that come and go', async () => {
    const store = createMemoryRowStore();
    let accounts = [open(store), open(store), open(store)];
    const [reserved, cost] = [LIMIT / 25, LIMIT / 200];
    let spent = 0;
    for (let index = 0, refusals = 0; refusals < accounts.length; index++) {
      const account = accounts[index % accounts.length] ?? expect.unreachable();
      if (await account.reserve(reserved)) {
        account.settle(reserved, cost);
        spent += cost;
        refusals = 0;
      } else refusals++;
      // Each process looks now and then; every tenth question is the last of its process.
      await account.giveBack(index % 10 === 9);
      if (index % 10 === 9) accounts = accounts.with(index % accounts.length, open(store));
    }
    for (const account of accounts) await account.giveBack(true);
    expect(spent).toBeGreaterThanOrEqual(0.95 * LIMIT);
    expect(spent).toBeLessThanOrEqual(LIMIT);
    expect(await spentIn(store)).toBe(spent);
  });
});

const STORES: [string, () => Promise<RowStore>][] = [
  ['in memory', async () => createMemoryRowStore()],
  ['in Table Storage', () => createTableRowStore({ connectionString: storage, tableName: 'ledgers' })],
];

describe.each(STORES)('a ledger %s', (_, openStore) => {
  it('takes concurrent reservations of one process in one write', async () => {
    const store = await openStore();
    let writes = 0;
    const counted: RowStore = {
      ...store,
      insert: (...args) => (writes++, store.insert(...args)),
      replace: (...args) => (writes++, store.replace(...args)),
    };
    const account = open(counted, randomUUID());
    const granted = await Promise.all(Array.from({ length: 20 }, () => account.reserve(100)));
    expect(granted).toEqual(Array.from({ length: 20 }, () => true));
    // The first alone, then those that came meanwhile.
    expect(writes).toBe(2);
  });

  it('gives 40 questions of four processes at once what is left, and no more', async () => {
    const store = await openStore();
    const budget = randomUUID();
    const accounts = Array.from({ length: 4 }, () => open(store, budget));
    const granted = await Promise.all(
      Array.from(
        { length: 40 },
        (__, index) => accounts[index % 4]?.reserve(LIMIT / 20) ?? expect.unreachable(),
      ),
    );
    const count = granted.filter(Boolean).length;
    expect(count).toBeLessThanOrEqual(20);
    // Each process may have less in hand than one question needs.
    expect(count).toBeGreaterThanOrEqual(17);
  });

  it('has in its row what an answer cost, also more than was reserved', async () => {
    const store = await openStore();
    const budget = randomUUID();
    const [account, other] = [open(store, budget), open(store, budget)];
    expect(await account.reserve(LIMIT)).toBe(true);
    expect(await other.reserve(1)).toBe(false);
    account.settle(LIMIT, LIMIT - 10);
    await account.giveBack(true);
    expect(await other.reserve(10)).toBe(true);
    other.settle(10, 25);
    await other.giveBack(false);
    expect(await account.reserve(1)).toBe(false);
    expect(account.left).toBe(0);
  });

  it('begins anew with each minute, in the row of its day', async () => {
    const store = await openStore();
    const name = randomUUID();
    const minute = (startsAt: number) =>
      new Account(
        new Ledger(store, { parts: [name], startsAt, rowEndsAt: ENDS_AT }, nextId),
        2000,
        startsAt + 60_000,
      );
    const [first, second, late] = [minute(60_000), minute(120_000), minute(60_000)];
    expect(await first.reserve(1500)).toBe(true);
    expect(await second.reserve(1500)).toBe(true);
    first.settle(1500, 0);
    await first.giveBack(true);
    // The next minute is none the richer, also for a process whose clock is behind.
    expect(await late.reserve(501)).toBe(false);
    expect(await late.reserve(400)).toBe(true);
  });

  it('is purged a day after its period', async () => {
    const store = await openStore();
    const now = Date.now();
    const rows = [now - 25 * 3_600_000, now - 3_600_000].map((rowEndsAt) => ({
      parts: [randomUUID()],
      startsAt: 0,
      rowEndsAt,
    }));
    for (const row of rows) await new Ledger(store, row, nextId).add(() => 1);
    await purgeSessions(store, 1000, 60_000);
    const left = rows.map(({ parts }) => store.list(digest('budget', ...parts)));
    expect((await Promise.all(left)).map(({ length }) => length)).toEqual([0, 1]);
  });
});
