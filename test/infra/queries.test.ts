/** The Kusto queries of infra/queries: the workbook, the alerts and docs/operations.md use the same ones. */
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { root } from '../../dev/stack/root.ts';
import { ERROR_CODES } from '../../src/lib/contract/responses.ts';

const read = (path: string): string => readFileSync(join(root, path), 'utf8');
const queries = Object.fromEntries(
  globSync('infra/queries/*.kql', { cwd: root }).map((path) => {
    const file = path.replaceAll('\\', '/');
    return [file.replace('infra/queries/', ''), read(file)];
  }),
);
const used = (module: string): string[] =>
  [...read(`infra/modules/${module}.bicep`).matchAll(/queries\/([a-z0-9-]+\.kql)/g)].map(
    ([, name = '']) => name,
  );

it('the workbook shows the queries of docs/operations.md', () => {
  const documented = [...read('docs/operations.md').matchAll(/```kusto\n([^]*?)```/g)].map(
    ([, text]) => text,
  );
  expect(documented).toHaveLength(3);
  expect(documented).toEqual(used('workbook').map((name) => queries[name]));
});

it('every query is in the workbook or in an alert', () => {
  expect([...used('workbook'), ...used('alerts')].toSorted()).toEqual(Object.keys(queries).toSorted());
});

it('the alerts look for outcomes and texts that the app writes', () => {
  const alerts = used('alerts').map((name) => queries[name] ?? '');
  const outcomes = alerts
    .flatMap((query) => query.match(/'[a-z]+(_[a-z]+)*'/g) ?? [])
    .map((text) => text.slice(1, -1));
  const known: string[] = [...ERROR_CODES, 'answered'];
  expect(outcomes.length).toBeGreaterThan(9);
  expect(outcomes.filter((outcome) => !known.includes(outcome))).toEqual([]);
  const sources = globSync('src/lib/**/*.ts', { cwd: root }).map(read).join('\n');
  const texts = alerts
    .flatMap((query) => [...query.matchAll(/message has '([^'"]+)'/g)])
    .map(([, text = '']) => text);
  expect(texts).toEqual([]);
  const names = alerts.flatMap((query) => query.match(/ask\.[a-z._]+/g) ?? []);
  const unknown = names.filter((name) => !sources.includes(`'${name}'`));
  expect(unknown).toEqual([]);
});
