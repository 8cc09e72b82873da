/** What `--json` writes, and `--from` and `--compare` read. */
import type { Run } from './measure.ts';
import type { Statistics } from './statistics.ts';

/** What `--json` writes. All times in seconds. */
export interface Results {
  run: Run;
  statistics: Statistics;
}
