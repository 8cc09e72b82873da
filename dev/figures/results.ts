/** The results of benchmarks that the documents show: docs/results/NAME.json, one file for each part. */
import { globSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { root } from '../stack/root.ts';
import type { Cost } from './cost.ts';

/** The folder of the files. */
export const RESULTS_FOLDER = join(root, 'docs', 'results');

/** The content of a file. */
export interface Results {
  /** ISO 8601. */
  measured_at: string;
  node: string;
  cores: number;
  costs: Cost[];
  /** The first row of a table is its head. */
  tables: Record<string, string[][]>;
}

/** Reads all files, by name. */
export const readResults = (): Record<string, Results> =>
  Object.fromEntries(
    globSync('*.json', { cwd: RESULTS_FOLDER })
      .toSorted()
      .map((file) => [
        basename(file, '.json'),
        JSON.parse(readFileSync(join(RESULTS_FOLDER, file), 'utf8')) as Results,
      ]),
  );
