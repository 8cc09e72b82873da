/** `npm run check:models`: whether a new deployment still gets a model that stays long enough. */
import { parseArgs } from 'node:util';
import { dateOf, daysUntil, readModelList } from './azd/model-list.ts';

/** The help text. */
export const help = `npm run check:models -- [--date YYYY-MM-DD]

Prints how many days each candidate of infra/models.json has until it retires, and fails when none has the days that the file
demands. Then look up newer models, their retirement dates, prices and quotas, change infra/models.json and docs/prices.json,
and run npm run tables. A GitHub workflow runs this every week.

  --date   count from this date instead of today`;

/** Sets the exit code to 1 when no candidate has enough days left. */
export function main(args: string[]): void {
  const { values } = parseArgs({ args, options: { date: { type: 'string' } } });
  const now = dateOf(values.date);
  const { candidates, models, minimumDays, checked } = readModelList();
  const names = new Set(candidates.map(({ name }) => name));
  const left = models
    .filter(({ name }) => names.has(name))
    .map(({ name, version, retires }) => ({
      model: `${name} ${version}`,
      retires,
      days: retires === null ? undefined : daysUntil(retires, now),
    }));
  for (const { model, retires, days } of left) {
    console.log(
      `${model}: ${days === undefined ? 'no published date' : `retires on ${retires}, in ${days} days`}`,
    );
  }
  if (left.some(({ days = 0 }) => days >= minimumDays)) return;
  console.error(
    `No candidate of infra/models.json has ${minimumDays} days left (facts of ${checked}). See npm run check:models -- --help.`,
  );
  process.exitCode = 1;
}
