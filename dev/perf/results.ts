/** The file format that `--json` writes and that `--from` and `--compare` read. */
import type { Run } from './measure.ts';
import type { Statistics } from './statistics.ts';

/** The content of the file. All times in seconds. */
export interface Results {
  run: Run;
  statistics: Statistics;
}

/** The results of an earlier run, to compare with. */
export interface EarlierResults extends Results {
  /** The name of its file. */
  name: string;
}
