/** docs/api.md: its tables of errors and measurements are those of the code. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { root } from '../../dev/stack/root.ts';
import { type AskError, errors } from '../../src/lib/contract/errors.ts';
import { performanceMetrics } from '../../src/lib/contract/metrics.ts';

const page = readFileSync(join(root, 'docs/api.md'), 'utf8');
const section = (title: string): string =>
  page.split(/^## /m).find((part) => part.startsWith(`${title}\n`)) ?? '';

it('has one row for each error, with its status', () => {
  const all = Object.values(errors).map((make) => Reflect.apply(make, undefined, ['1', 1]) as AskError);
  const expected = new Set(all.map(({ status, code }) => `${status} ${code}`));
  const rows = [...section('Errors').matchAll(/^\| (\d+) \| `(\w+)` \| \S/gm)].map(
    ([, status, code]) => `${status} ${code}`,
  );
  expect(rows.toSorted()).toEqual([...expected].toSorted());
});

it('has one row for each field of performance_metrics', () => {
  const names = [...section('performance_metrics').matchAll(/^\| (`.*?) \| /gm)].flatMap(([, cell = '']) =>
    [...cell.matchAll(/`(\w+)`/g)].map(([, name = '']) => name),
  );
  expect(names.toSorted()).toEqual(Object.keys(performanceMetrics.shape).toSorted());
});
