/** The daily look at the retirement of a model. */
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { type RetirementDates, RetirementWatch } from '../../../src/lib/model/retirement-watch.ts';

const DAY_MS = 24 * 60 * 60_000;
const MODEL = 'gpt-5-mini-2025-08-07';

let warnings: string[];
let looks: number;
/** What the server replies; null when it fails. */
let dates: RetirementDates | null;
let watch: RetirementWatch;
beforeEach(() => {
  vi.useFakeTimers({ now: new Date('2026-11-30T12:00:00Z') });
  warnings = [];
  looks = 0;
  dates = new Map([[MODEL, Date.parse('2027-02-09T00:00:00Z')]]);
  watch = new RetirementWatch({
    name: '"chat" at name.openai.azure.com',
    async read() {
      looks++;
      if (dates === null) throw new Error('status 404');
      return dates;
    },
    warn: (message) => warnings.push(message),
  });
});
afterEach(() => {
  watch.stop();
  vi.useRealTimers();
});

it('looks once a day, and logs one line each day', async () => {
  for (let answers = 0; answers < 3; answers++) watch.note(MODEL);
  await vi.advanceTimersByTimeAsync(DAY_MS / 2);
  expect([looks, warnings.length, watch.days]).toEqual([1, 1, 70]);
  watch.note(MODEL);
  await vi.advanceTimersByTimeAsync(3 * DAY_MS);
  expect(looks).toBeGreaterThanOrEqual(4);
  expect(looks).toBeLessThanOrEqual(5);
  expect(warnings).toHaveLength(looks);
  expect(watch.days).toBe(67);
});

it('keeps the date while the server fails, and learns of a later one', async () => {
  watch.note(MODEL);
  await vi.advanceTimersByTimeAsync(DAY_MS / 2);
  dates = null;
  await vi.advanceTimersByTimeAsync(DAY_MS);
  expect(watch.days).toBe(69);
  dates = new Map([[MODEL, Date.parse('2027-08-09T00:00:00Z')]]);
  await vi.advanceTimersByTimeAsync(DAY_MS);
  expect(watch.days).toBe(249);
  const logged = warnings.length;
  await vi.advanceTimersByTimeAsync(2 * DAY_MS);
  expect(warnings).toHaveLength(logged);
});

it('never looks before an answer, or after the stop', async () => {
  await vi.advanceTimersByTimeAsync(3 * DAY_MS);
  watch.note(undefined);
  expect(vi.getTimerCount()).toBe(0);
  watch.note(MODEL);
  watch.stop();
  await vi.advanceTimersByTimeAsync(3 * DAY_MS);
  expect(looks).toBe(0);
});
