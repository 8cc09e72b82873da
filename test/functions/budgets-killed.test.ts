/** Budgets of four processes under load, some of which are killed: what the model was used for never exceeds them. */
import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { periodAt } from '../../src/lib/budget/periods.ts';
import { digest } from '../../src/lib/history/session-rows.ts';
import { createTableRowStore } from '../../src/lib/history/table-row-store.ts';
import { eventually, post, startApp, type TestApp } from '../support/app.ts';
import { scaled } from '../support/effort.ts';
import { storage } from '../support/azurite.ts';

const USERS = ['ada', 'ben', 'eve'];
const [APP_LIMIT, CALLER_LIMIT] = [scaled(20_000, 2000), scaled(10_000, 1000)];
/** Each answer has 10 tokens, which cost 1 each. It might have had 100. */
const ANSWER = 'four '.repeat(8);
const COST = 10;
const tableName = `killed${randomUUID().replaceAll('-', '')}`;
const env = {
  WEBSITE_AUTH_ENABLED: 'True',
  SESSIONS_TABLE_NAME: tableName,
  MODEL_PRICES: 'input=0,cached_input=0,output=1000000',
  MODEL_MAX_OUTPUT_TOKENS: '100',
  BUDGET_APP_MONTH: String(APP_LIMIT),
  BUDGET_CALLER_MONTH: String(CALLER_LIMIT),
  LOG_LEVEL: 'error',
};

let first: TestApp;
const others: TestApp[] = [];
const startOther = (): Promise<TestApp> =>
  startApp({ env: { ...env, AZURE_OPENAI_ENDPOINT: first.emulator.url } });

beforeAll(async () => {
  first = await startApp({ env, emulator: { answers: () => ANSWER } });
  others.push(...(await Promise.all([1, 2, 3].map(startOther))));
}, 60_000);
afterAll(async () => {
  for (const app of [...others, first]) await app.stop();
});

const userHeaders = (id: string) => ({ 'x-ms-client-principal-id': id, 'x-ms-client-principal-idp': 'aad' });

/** Asks at the process at `index` until it refuses for want of budget; a process that is not there is waited for. */
async function askUntilRefused(index: number): Promise<void> {
  for (let asked = index, refused = 0; refused < 2 * USERS.length; asked++) {
    const user = USERS[asked % USERS.length] ?? '';
    const app = index === 0 ? first : others[index - 1];
    const question = `${user} asks ${randomUUID()}`;
    const status =
      app &&
      (await post(app, JSON.stringify({ question }), userHeaders(user)).then(
        ({ status: got }) => got,
        () => null,
      ));
    refused = status === 429 ? refused + 1 : 0;
    if (status === null) await delay(50);
  }
}

/** What the model was used for, by the user whose question it was. A request without an answer may have been one. */
const usedBy = (user: string): number =>
  COST * first.emulator.requests.filter(({ messages }) => messages.at(-1)?.content.startsWith(user)).length;

it('never exceed a budget, and leave little of it', { timeout: 120_000 }, async () => {
  first.emulator.latencyMs = 20;
  const asking = [0, 1, 2, 3].flatMap((index) => Array.from({ length: 3 }, () => askUntilRefused(index)));
  for (let kills = 0; kills < scaled(8, 2); kills++) {
    await eventually(() => first.emulator.requests.length >= 40 * (kills + 1), 30_000);
    const index = kills % others.length;
    const killed = others[index];
    killed?.host.process.kill('SIGKILL');
    others[index] = await startOther();
    await killed?.stop();
  }
  await Promise.all(asking);

  const { startsAt } = periodAt('month', Date.now());
  const store = await createTableRowStore({ connectionString: storage, tableName });
  const spentIn = async (...parts: (string | number | null)[]): Promise<number> =>
    Number((await store.list(digest('budget', ...parts, startsAt)))[0]?.properties['spent']);
  const used = USERS.map(usedBy);
  const total = used.reduce((sum, each) => sum + each, 0);
  const rows = await Promise.all(USERS.map((user) => spentIn('caller_month', JSON.stringify(['aad', user]))));
  const row = await spentIn('app_month', null);

  for (const each of used) expect(each).toBeLessThanOrEqual(CALLER_LIMIT);
  expect(total).toBeLessThanOrEqual(APP_LIMIT);
  // A quarter at least, although each death takes what its process had in hand.
  expect(total).toBeGreaterThanOrEqual(APP_LIMIT / 4);
  // In billionths.
  expect(row).toBeGreaterThanOrEqual(1e9 * total);
  rows.forEach((each, index) => expect(each).toBeGreaterThanOrEqual(1e9 * (used[index] ?? Infinity)));
});
