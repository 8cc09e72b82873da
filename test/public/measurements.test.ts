/**
 * What the page shows of the measurements: the facts of an answer, its waterfall, the panel, and both after a reload.
 * @module-tag browser
 * @module-tag long
 */
import axe from 'axe-core';
import type { BrowserContextOptions, Page } from 'playwright-core';
import { beforeEach, describe, expect, it } from 'vitest';
import type { PerformanceMetrics } from '../../src/lib/contract/metrics.ts';
import { eventually } from '../support/app.ts';
import { askInPage, lastTurn, openPage, overflow } from './browser.ts';
import { useStandIn } from './setup.ts';
import { doneWith } from './stand-in.ts';

const { browser, server } = useStandIn();
beforeEach(() => {
  server.exchanges.length = 0;
  server.sessions.clear();
});

const open = (width = 1280, options: BrowserContextOptions = {}) =>
  openPage(browser, server.url, { viewport: { width, height: 700 }, ...options });

interface Reply {
  answer?: string;
  /** The beginning of the invocation's id. */
  session?: string;
  metrics?: Partial<PerformanceMetrics>;
}

/** Asks a question, which the fake server answers with these metrics. */
async function ask(page: Page, question: string, reply: Reply = {}): Promise<void> {
  const { answer = `Answer to ${question}`, session = 's', metrics } = reply;
  const count = server.exchanges.length;
  await askInPage(page, question);
  await eventually(() => server.exchanges.length > count);
  const { sessionId = '', send } = server.exchanges.at(-1) ?? {};
  const done = doneWith(answer, sessionId);
  Object.assign(done.performance_metrics, { invocation: `${session}/${question}` }, metrics);
  send?.('done', done);
  await lastTurn(page).locator('.facts').waitFor();
}

/** The session of the newest question. */
const lastSession = (): string => server.exchanges.at(-1)?.sessionId ?? '';

/** Has the fake server return a session with these questions and answers. */
function keepSession(id: string, ...contents: string[]): void {
  const messages = contents.map((content, index) => ({ role: index % 2 === 0 ? 'human' : 'ai', content }));
  server.sessions.set(id, { session_id: id, chat_history: messages, next: null });
}

const CACHED = {
  from_cache: true,
  total_time: 0.024,
  cache: { result: 'hit', tier: 'memory', hits: 1, misses: 1, hit_percentage: 50 },
} as const;

const COLD = {
  cold_start: true,
  connection_reused: false,
  total_time: 1.23,
  timings: {
    history_read: 0.02,
    cache_lookup: 0.01,
    model: 0.9,
    history_write: 0.1,
    time_to_first_token: 0.95,
  },
  connection: {
    protocol: 'h2',
    id: 1,
    requests_on_connection: 1,
    connect_time: 0.08,
    tls_resumed: true,
    time_to_first_byte: 0.6,
    attempts: 1,
    open: 1,
    endpoint: 0,
  },
  tokens: { prompt: 1200, completion: 90, cached: 1024, cache_write: 0, reasoning: 0, saved: 0 },
} as const;

const summaries = (page: Page) => page.locator('.facts summary').allInnerTexts();
const spaces = (text: string) => text.replaceAll(/\s+/g, ' ');
/** The steps of the open waterfall, as screen readers get them. */
const steps = async (page: Page) => (await page.locator('.waterfall tbody th').allInnerTexts()).map(spaces);
const fact = (page: Page, name: string) =>
  page
    .locator('.measured dl div')
    .filter({ has: page.getByText(name, { exact: true }) })
    .locator('dd');
const bars = (page: Page) => page.getByRole('toolbar', { name: 'Answer times' }).getByRole('button');

describe('the line under an answer', () => {
  it('says where the answer came from and how long it took', async () => {
    const { page, problems } = await open();
    await ask(page, 'One', { metrics: COLD });
    await ask(page, 'Two', { metrics: CACHED });
    await ask(page, 'Three', { metrics: { connection_reused: false } });
    await ask(page, 'Four', { metrics: { history_saved: false } });
    expect((await summaries(page)).map(spaces)).toEqual([
      'Cold start, 1.23 s',
      'Cached, 24 ms',
      'New connection, 250 ms',
      'Model, 250 ms, not saved',
    ]);
    expect(problems).toEqual([]);
  });

  it('says when an answer is an expired one, and why', async () => {
    const { page } = await open();
    const cache = { ...CACHED.cache, result: 'stale', reason: 'expired', age: 754 } as const;
    await ask(page, 'One', { metrics: { ...CACHED, cache } });
    expect((await summaries(page)).map(spaces)).toEqual(['Cached, 24 ms']);
    expect(spaces(await lastTurn(page).locator('.outcome').innerText())).toBe(
      'From the cache, 12 min old, because the model did not answer.',
    );
  });

  it.each([320, 768, 1280])('stays one line at %i px, however long', async (width) => {
    const { page } = await open(width);
    await ask(page, 'Q', { metrics: { connection_reused: false, history_saved: false, total_time: 12.34 } });
    const height = await page.locator('.facts summary').evaluate(({ offsetHeight }) => offsetHeight);
    expect(height).toBeLessThanOrEqual(30);
    expect(await overflow(page)).toBe(0);
  });

  it.each([320, 1280])(
    'opens with the keyboard and shows the facts and the waterfall at %i px',
    async (width) => {
      const { page, problems } = await open(width);
      await ask(page, 'Q', { metrics: COLD });
      await page.locator('.facts summary').press('Enter');
      await page.locator('.waterfall').waitFor();
      expect((await steps(page)).join(', ')).toBe(
        'App, History read, Cache lookup, Model, Connect, First byte, Other wait, Streaming, History write, First token, Total',
      );
      const times = (await page.getByRole('row', { name: /^Connect/ }).innerText()).split(/\t|\n/);
      expect(spaces(times.at(-1) ?? '')).toBe('80 ms');
      expect(await page.locator('.waterfall svg:not([aria-hidden="true"])').count()).toBe(0);
      expect(spaces(await fact(page, 'Connection').innerText())).toBe(
        'New, HTTP/2, 80 ms, TLS session resumed',
      );
      expect(await fact(page, 'Prompt tokens').innerText()).toBe('1,200, of these 1,024 cached by the model');
      expect(await fact(page, 'Chat history').innerText()).toBe('Saved');
      expect(await overflow(page)).toBe(0);
      await page.keyboard.press('Enter');
      await page.locator('.waterfall').waitFor({ state: 'hidden' });
      expect(problems).toEqual([]);
    },
  );

  it('draws the steps in their order, and none beyond the axis', async () => {
    const { page } = await open(320);
    await ask(page, 'Q', { metrics: COLD });
    await page.locator('.facts summary').click();
    await page.locator('.waterfall').waitFor();
    const edges = await page.evaluate<{ left: number; right: number; axis: number[] }[]>(
      `[...document.querySelectorAll('.waterfall .step:not(.app) rect')].map((rect) => {
        const [box, svg] = [rect, rect.ownerSVGElement].map((each) => each.getBoundingClientRect());
        return { left: box.left, right: box.right, axis: [svg.left, svg.right] };
      })`,
    );
    expect(edges.map(({ left }) => left)).toEqual(edges.map(({ left }) => left).toSorted((a, b) => a - b));
    for (const { left, right, axis } of edges) {
      expect(left).toBeGreaterThanOrEqual((axis[0] ?? 0) - 0.5);
      expect(right).toBeLessThanOrEqual((axis[1] ?? 0) + 0.5);
      expect(right - left).toBeGreaterThan(0.5);
    }
  });
});

it.each([
  [320, 'light'],
  [320, 'dark'],
  [1280, 'light'],
  [1280, 'dark'],
] as const)('has no finding of axe with facts and panel open at %i px in %s', async (width, colorScheme) => {
  const { page } = await open(width, { colorScheme });
  await ask(page, 'One', { metrics: CACHED });
  await ask(page, 'Two', { metrics: COLD });
  await page.locator('summary').first().click();
  await page.locator('summary').last().click();
  await page.locator('.waterfall').nth(1).waitFor();
  const findings = async () => {
    await page.evaluate(axe.source);
    const { violations } = await page.evaluate<axe.AxeResults>('axe.run()');
    return violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' ')}`);
  };
  expect(await findings()).toEqual([]);
  if (width < 1280) await page.getByRole('button', { name: 'Measurements' }).click();
  await bars(page).first().focus();
  expect(await findings()).toEqual([]);
});

it('what is left of the budgets is in the panel, as of the newest answer that says so', async () => {
  const { page } = await open();
  await ask(page, 'One');
  const panel = page.locator('#measured');
  expect(await panel.innerText()).not.toContain('Left of the budget');
  const renews_at = new Date(Date.now() + 3_600_000).toISOString();
  const caller_day = { limit: 1, remaining: 0.25, renews_at };
  const app_month = { limit: 2000, remaining: 1234.5, renews_at };
  const caller_minute = { limit: 5, remaining: 1, renews_at: new Date(0).toISOString() };
  await ask(page, 'Two', { metrics: { budget: { caller_minute, caller_day, app_month } } });
  await ask(page, 'Three', { metrics: CACHED });
  await page.getByText('Left of the budget').waitFor();
  const text = await panel.innerText();
  expect(text).toMatch(/Yours, this day\s+0\.25 of 1\s+This service, this month\s+1,230 of 2,000/);
  expect(text).not.toContain('this minute');
});

describe('cost', () => {
  it('is shown for each answer and for the conversation when prices are set', async () => {
    const { page } = await open();
    await ask(page, 'One', { metrics: { cost: { spent: 0.0012, saved: 0 } } });
    await ask(page, 'Two', { metrics: { ...CACHED, cost: { spent: 0, saved: 0.0034 } } });
    await lastTurn(page).locator('summary').click();
    await fact(page, 'Cost').waitFor();
    expect(await fact(page, 'Cost').innerText()).toBe('0.0034 saved');
    expect(await fact(page, 'Source').innerText()).toBe('Cache, in memory');
    const panel = await page.locator('#measured').innerText();
    expect(panel).toMatch(/Cost\s+0\.0012\s+Cost saved\s+0\.0034/);
  });

  it('is not mentioned without prices', async () => {
    const { page } = await open();
    await ask(page, 'One');
    await lastTurn(page).locator('summary').click();
    await fact(page, 'Source').waitFor();
    expect(await page.getByText('Cost').count()).toBe(0);
  });
});

describe('after a reload', () => {
  it('shows the same facts and bars again', async () => {
    const { page, problems } = await open();
    await ask(page, 'One', { metrics: COLD });
    await ask(page, 'Two', { metrics: CACHED });
    keepSession(lastSession(), 'One', 'Answer to One', 'Two', 'Answer to Two');
    await page.reload();
    await lastTurn(page).locator('.facts').waitFor();
    expect((await summaries(page)).map(spaces)).toEqual(['Cold start, 1.23 s', 'Cached, 24 ms']);
    expect(await bars(page).count()).toBe(2);
    expect(problems).toEqual([]);
  });

  it('shows nothing for answers that this tab has not measured, or that are not the same', async () => {
    const { page } = await open();
    await ask(page, 'One', { metrics: COLD });
    await ask(page, 'Twice', { metrics: CACHED });
    await ask(page, 'Lost', { metrics: { history_saved: false } });
    // Another tab has asked "Twice" too: which of them was measured here is not known.
    const twice = ['Twice', 'Answer to Twice'];
    keepSession(
      lastSession(),
      'One',
      'Another answer',
      ...twice,
      ...twice,
      'Lost',
      'Answer to Lost',
      'New',
      'New',
    );
    await page.reload();
    await lastTurn(page).getByText('New').first().waitFor();
    expect(await page.locator('.turn').count()).toBe(5);
    expect(await page.locator('.facts').count()).toBe(0);
  });

  it.each([
    ['not JSON', '{'],
    ['no list', '{"length": 3}'],
    ['foreign entries', '[null, 1, {"session": "s", "digest": "d", "metrics": {"total_time": "<b>"}}]'],
  ])('works when the browser has kept %s', async (_, kept) => {
    const { page, problems } = await open();
    await page.evaluate(`sessionStorage.setItem('ask.measured', ${JSON.stringify(kept)})`);
    keepSession('s', 'One', 'Old answer');
    await page.goto(`${server.url}/#session=s`);
    await page.reload();
    await lastTurn(page).getByText('Old answer').waitFor();
    await ask(page, 'Two', { metrics: CACHED });
    expect(await bars(page).count()).toBe(1);
    expect(problems).toEqual([]);
  });

  it('works when the store is full', async () => {
    const { page, problems } = await open();
    await page.evaluate(`
      for (let size = 2 ** 22; size >= 1; size = Math.floor(size / 2))
        try { for (let i = 0; ; i++) sessionStorage.setItem(size + '/' + i, 'x'.repeat(size)); } catch {}`);
    await ask(page, 'One', { metrics: COLD });
    await ask(page, 'Two', { metrics: CACHED });
    expect(await bars(page).count()).toBe(2);
    expect(problems).toEqual([]);
  });
});

describe('the chart', () => {
  const LONG = 'A line.\n\n'.repeat(60);

  it('scrolls to the answer of a bar that gets the focus, and opens its facts on Enter', async () => {
    const { page, problems } = await open();
    await ask(page, 'One', { answer: LONG, metrics: COLD });
    await ask(page, 'Two', { answer: LONG, metrics: CACHED });
    await ask(page, 'Three', { answer: LONG });
    const first = page.locator('.turn').first().locator('summary');
    expect(await isInView(page, '.turn:first-child summary')).toBe(false);
    // One stop of Tab for all bars; the arrow keys move between them.
    await page.getByRole('button', { name: 'More' }).focus();
    await bars(page).last().focus();
    await page.keyboard.press('ArrowLeft');
    await page.keyboard.press('ArrowLeft');
    expect(await page.evaluate('document.activeElement.getAttribute("aria-label")')).toMatch(
      /^Answer 1 of 3: Cold start, 1.23\ss$/,
    );
    await eventually(() => isInView(page, '.turn:first-child summary'));
    expect(spaces(await page.locator('.pointed').innerText())).toBe('Cold start, 1.23 s One');
    await page.keyboard.press('Enter');
    await page.locator('.turn').first().locator('.waterfall').waitFor();
    await eventually(async () => (await first.and(page.locator(':focus')).count()) === 1);
    expect(problems).toEqual([]);
  });

  it('is tapped on a phone: the sheet closes, and the answer is in view', async () => {
    const { page, problems } = await open(320, { hasTouch: true });
    await ask(page, 'One', { answer: LONG, metrics: COLD });
    await ask(page, 'Two', { answer: LONG, metrics: CACHED });
    await page.getByRole('button', { name: 'Measurements' }).tap();
    await page.getByRole('dialog', { name: 'Measurements' }).waitFor();
    expect(await isInView(page, '.chart')).toBe(true);
    await bars(page).first().tap();
    await page.getByRole('dialog').waitFor({ state: 'hidden' });
    await page.locator('.turn').first().locator('.waterfall').waitFor();
    await eventually(() => isInView(page, '.turn:first-child summary'));
    expect(problems).toEqual([]);
  });

  it('opens the conversation of an answer from another one', async () => {
    const { page } = await open();
    await ask(page, 'One', { metrics: COLD, session: 'first' });
    const first = lastSession();
    keepSession(first, 'One', 'Answer to One');
    await page.getByRole('button', { name: 'New conversation' }).click();
    await ask(page, 'Two', { session: 'second' });
    await bars(page).first().click();
    await page.locator('.turn .waterfall').waitFor();
    expect(new URL(page.url()).hash).toBe(`#session=${first}`);
    expect(await page.locator('.turn').count()).toBe(1);
  });

  it('has a legend whose names stay on one line at 320 px', async () => {
    const { page } = await open(320);
    await ask(page, 'One', { metrics: { total_time: 1.25 } });
    await page.getByRole('button', { name: 'Measurements' }).click();
    await page.locator('.legend').waitFor();
    const heights = await page.evaluate<number[]>(
      `[...document.querySelectorAll('.legend tbody tr')].map((row) => row.getBoundingClientRect().height)`,
    );
    expect(Math.max(...heights)).toBeLessThan(30);
    const body = page.locator('.sheet-body').filter({ has: page.locator('.legend') });
    expect(await body.evaluate(({ scrollWidth, clientWidth }) => scrollWidth - clientWidth)).toBe(0);
  });
});

/** Whether an element is inside the window, clear of the header and the input. */
const isInView = (page: Page, selector: string) =>
  page.evaluate<boolean>(
    `(() => {
      const box = document.querySelector(${JSON.stringify(selector)}).getBoundingClientRect();
      return box.top > 40 && box.bottom < innerHeight;
    })()`,
  );
