/** `npm run tables`: writes the generated parts of documents, from data files and from the docstrings of the source. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { readModelList } from './azd/model-list.ts';
import {
  decisionTable,
  modelPriceTable,
  monthTable,
  optionTable,
  servicePriceTable,
} from './cost/cost-tables.ts';
import { withFigures, withTables } from './cost/markdown.ts';
import { candidateTable, lifetimeTable } from './cost/model-tables.ts';
import { readPrices } from './cost/prices.ts';
import { readResults } from './figures/results.ts';
import {
  figuresOf,
  needsTable,
  oneQuestionTable,
  plainTables,
  resultSections,
  targetTable,
  usersTable,
} from './figures/tables.ts';
import { sourceFileList } from './docs/source-files.ts';
import { root } from './stack/root.ts';

/** The documents with generated parts. */
export const DOCUMENTS = [
  'AGENTS.md',
  'README.md',
  'docs/cost.md',
  'docs/models.md',
  'docs/operations.md',
  'docs/performance.md',
  'docs/reliability.md',
  'docs/results/README.md',
  'docs/scale.md',
] as const;

/** The help text. */
export const help = `npm run tables

Writes the generated parts of ${DOCUMENTS.join(', ')}:
prices and costs from docs/prices.json, models from infra/models.json, the list of source files from their docstrings, and
measurements from docs/results, which "npm run bench -- --write", soak and crash write. These parts are between comments
that name them. A test fails when they are not up to date.`;

/** Returns a document with its generated parts as they should be. */
export function upToDate(document: (typeof DOCUMENTS)[number]): string {
  const prices = readPrices();
  const list = readModelList();
  const results = readResults();
  const tables = {
    month: () => monthTable(prices),
    options: () => optionTable(prices),
    decisions: () => decisionTable(prices),
    'model-prices': () => modelPriceTable(prices),
    'service-prices': () => servicePriceTable(prices),
    lifetimes: () => lifetimeTable(list),
    candidates: () => candidateTable(list),
    'source-files': () => sourceFileList(),
    users: () => usersTable(results),
    targets: () => targetTable(results),
    results: () => resultSections(results),
    'one-question': () => oneQuestionTable(results),
    scale: () => needsTable(results),
    ...plainTables(results),
  };
  return withFigures(withTables(readFileSync(join(root, document), 'utf8'), tables), figuresOf(results));
}

/** Writes the files. */
export function main(): void {
  for (const document of DOCUMENTS) writeFileSync(join(root, document), upToDate(document));
  console.log(`Wrote ${DOCUMENTS.join(', ')}.`);
}
