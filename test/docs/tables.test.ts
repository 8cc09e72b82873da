/** The generated parts of documents are up to date, and the template's model is one of the list. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readModelList } from '../../dev/azd/model-list.ts';
import { templateDefault } from '../../dev/azd/model-request.ts';
import { withFigures } from '../../dev/cost/markdown.ts';
import { readPrices } from '../../dev/cost/prices.ts';
import { readResults } from '../../dev/figures/results.ts';
import { root } from '../../dev/stack/root.ts';
import { DOCUMENTS, upToDate } from '../../dev/tables.ts';

const read = (path: string): string => readFileSync(join(root, path), 'utf8');
const list = readModelList();
const prices = readPrices();

it.each(DOCUMENTS)('%s has what npm run tables writes', (document) => {
  expect(read(document)).toBe(upToDate(document));
});

it('a figure within a sentence is replaced, and must have a name that is known', () => {
  const before = 'takes <!-- figure: asked, by npm run tables -->1 ms<!-- end of figure -->.';
  expect(withFigures(before, { asked: '53 ms' })).toBe(before.replace('1 ms', '53 ms'));
  expect(() => withFigures(before, {})).toThrow('There is no figure "asked".');
});

it('the README says how long an answer takes, from the results', () => {
  const { rounds = [] } =
    readResults()['users']?.costs.find(({ name }) => name.startsWith('Answer, model')) ?? {};
  const [pooled] = rounds
    .map(({ app }) => app)
    .toSorted((a, b) => a - b)
    .slice(rounds.length / 2);
  expect(read('README.md')).toContain(`answer-pooled, by npm run tables -->${pooled?.toFixed(0)} ms<!--`);
});

it('the sum of a month is the one of its formulas, computed by hand', () => {
  // gpt-5.6-luna for 7 million calls of 450 and 500 tokens, and what docs/cost.md has for everything else.
  const model = 7 * (450 * 0.2 + 500 * 1.2);
  const sum = model + 143.15 + 3.9 + 0.78 + 1.44 + 104.26 + 6 * 0.5;
  expect(read('docs/cost.md')).toContain(
    `| Model tokens | 0.48 | 48.30 | ${model.toLocaleString('en')}.00 |`,
  );
  expect(read('docs/cost.md')).toMatch(/\*\*Sum\*\* .* \*\*5,086\.53\*\*/);
  expect(sum).toBeCloseTo(5086.53, 1);
});

describe('the list of models', () => {
  it('has the facts and the prices of each candidate', () => {
    const without = list.candidates.filter(
      ({ name, version }) =>
        !list.models.some((model) => model.name === name && model.version === version) ||
        !prices.models.some((model) => model.name === name),
    );
    expect(without).toEqual([]);
  });

  it('begins, among the models with an announced retirement, with the default of the template', () => {
    const announced = list.candidates.find(({ name }) =>
      list.models.some((model) => model.name === name && model.retires !== null),
    );
    expect(templateDefault()).toEqual(announced);
    const bicep = read('infra/main.bicep');
    const { name, version, sku, capacity } = templateDefault();
    for (const line of [
      `param modelName string = '${name}'`,
      `param modelVersion string = '${version}'`,
      `param modelSku string = '${sku}'`,
      `param modelCapacity int = ${capacity}`,
    ])
      expect(bicep).toContain(line);
  });
});
