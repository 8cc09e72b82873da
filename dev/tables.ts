/** `npm run tables`: writes the tables of docs/cost.md and docs/models.md from the data files. */
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
import { withTables } from './cost/markdown.ts';
import { candidateTable, lifetimeTable } from './cost/model-tables.ts';
import { readPrices } from './cost/prices.ts';
import { root } from './stack/root.ts';

/** The documents with generated tables. */
export const DOCUMENTS = ['docs/cost.md', 'docs/models.md'] as const;

/** The help text. */
export const help = `npm run tables

Writes the tables of ${DOCUMENTS.join(' and ')}: prices and costs from docs/prices.json, models from infra/models.json. The tables
are between comments that name them. A test fails when they are not up to date.`;

/** Returns a document with its tables as they should be. */
export function upToDate(document: (typeof DOCUMENTS)[number]): string {
  const prices = readPrices();
  const list = readModelList();
  return withTables(readFileSync(join(root, document), 'utf8'), {
    month: () => monthTable(prices),
    options: () => optionTable(prices),
    decisions: () => decisionTable(prices),
    'model-prices': () => modelPriceTable(prices),
    'service-prices': () => servicePriceTable(prices),
    lifetimes: () => lifetimeTable(list),
    candidates: () => candidateTable(list),
  });
}

/** Writes the files. */
export function main(): void {
  for (const document of DOCUMENTS) writeFileSync(join(root, document), upToDate(document));
  console.log(`Wrote ${DOCUMENTS.join(' and ')}.`);
}
