/** Writes results for the documents, and compares new ones with them. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { type Cost, format, ratioOf } from '../../dev/figures/cost.ts';
import { type Results, RESULTS_FOLDER } from '../../dev/figures/results.ts';
import type { PartResult } from './environment.ts';

/** Writes docs/results/NAME.json, from which `npm run tables` writes the documents. */
export function writeResults(name: string, { costs = [], tables = {} }: PartResult): void {
  const results: Results = {
    measured_at: new Date().toISOString(),
    node: process.version,
    cores: availableParallelism(),
    costs,
    tables,
  };
  mkdirSync(RESULTS_FOLDER, { recursive: true });
  writeFileSync(join(RESULTS_FOLDER, `${name}.json`), `${JSON.stringify(results, shorten, 1)}\n`);
}

/** Four digits: the others are noise. */
const shorten = (_: string, value: unknown): unknown =>
  typeof value === 'number' ? Number(value.toPrecision(4)) : value;

/** A table whose head is the names. */
export const tableOf = (rows: Record<string, string>[]): string[][] => [
  Object.keys(rows[0] ?? {}),
  ...rows.map((row) => Object.values(row)),
];

/** Formats a table for a terminal. */
export function formatTable(rows: string[][]): string {
  const widths = rows[0]?.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0))) ?? [];
  return rows.map((row) => row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  ')).join('\n');
}

/** A ratio that is higher than the committed one by more than this is worth a look. */
const LIMIT = 1.1;

/**
 * Formats the costs whose ratio is more than 10 % above that of the committed cost of the same name. The best round counts,
 * so that a busy machine is rarely taken for a regression.
 */
export function formatRegressions(costs: Cost[], committed: Cost[]): string {
  const lines = costs.flatMap((cost) => {
    const before = committed.find(({ name, baseline }) => name === cost.name && baseline === cost.baseline);
    const factor = before ? ratioOf(cost).min / ratioOf(before).median : 1;
    return factor > LIMIT ? [`  ${cost.name}: ${format(factor)} times the committed ratio`] : [];
  });
  return lines.length > 0 ? ['Regressions above 10 %:', ...lines].join('\n') : 'No regression above 10 %.';
}
