/** npm run check:models: it fails when no candidate of infra/models.json stays long enough. */
import { expect, it } from 'vitest';
import { daysUntil, readModelList } from '../../dev/azd/model-list.ts';
import { runNode } from '../../dev/stack/child-process.ts';
import { root } from '../../dev/stack/root.ts';

const DAY_MS = 86_400_000;
const { candidates, models, minimumDays } = readModelList();
const dates = models.flatMap(({ name, retires }) =>
  retires !== null && candidates.some((candidate) => candidate.name === name) ? [Date.parse(retires)] : [],
);
/** The last day on which a candidate has enough days. */
const lastDay = new Date(Math.max(...dates) - minimumDays * DAY_MS);
const dayAfter = new Date(lastDay.getTime() + DAY_MS);

const check = (date: Date) =>
  runNode(['dev/run.js', 'model-lifetime', '--date', date.toISOString().slice(0, 10)], { cwd: root });

it('passes on the last day on which a candidate has enough days', async () => {
  const { code, output } = await check(lastDay);
  expect(output).toContain(`in ${minimumDays} days`);
  expect(output).toContain('gpt-6-luna 2026-09-22: no published date');
  expect(code).toBe(0);
});

it('fails on the day after', async () => {
  const { code, output } = await check(dayAfter);
  expect(output).toContain(`No candidate of infra/models.json has ${minimumDays} days left`);
  expect(code).toBe(1);
});

it('counts whole days', () => {
  expect(daysUntil('2027-05-29', new Date('2026-11-30'))).toBe(180);
  expect(daysUntil('2027-05-29T00:00:00Z', new Date('2026-11-30T00:00:01Z'))).toBe(179);
});
