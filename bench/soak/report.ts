/** The report of `npm run soak`: as text, and as the object that `--json` writes. */
import type { FaultWindow } from './errors.ts';
import { type Growth, isTooFast, JUDGED_FROM_S } from './growth.ts';
import type { Sample } from './usage.ts';
import type { Kind, Violation, Violations } from './violations.ts';

/** A fault with its errors. Times in seconds since the start of the load. */
export interface FaultRow {
  name: string;
  on: number;
  off: number;
  allows: readonly string[];
  errors: Record<string, number>;
  /** How long after its end the last error was; null when none came after it. */
  last_error_after: number | null;
}

/** The results of a run. */
export interface SoakResults {
  started_at: string;
  node: string;
  seed: number;
  callers: number;
  /** Seconds of load. */
  duration: number;
  interrupted: boolean;
  redis: boolean;
  requests: Record<string, number>;
  sessions_compared: number;
  /** Half seconds in which the machine gave the test no CPU for 50 ms, and errors that only these explain. */
  stalls: number;
  errors_of_stalls: number;
  violations: Partial<Record<Kind, number>>;
  details: Violation[];
  faults: FaultRow[];
  growth: Growth[];
  samples: Sample[];
}

/** The kinds that a soak can find. */
const SOAK_KINDS = [
  'lost',
  'doubled',
  'reordered',
  'foreign',
  'wrong',
  'wrong cached',
  'undocumented',
  'unexpected error',
  'growth',
] as const satisfies readonly Kind[];

/** Converts the windows of the faults; `startedAt` is the start of the load. */
export function toRows(windows: readonly FaultWindow[], startedAt: number): FaultRow[] {
  const seconds = (ms: number): number => Math.round(ms - startedAt) / 1000;
  return windows.map(({ name, onAt, offAt, allows, errors, lastErrorAt }) => ({
    name,
    on: seconds(onAt),
    off: seconds(offAt),
    allows,
    errors: Object.fromEntries(errors),
    last_error_after: lastErrorAt > offAt ? Math.round(lastErrorAt - offAt) / 1000 : null,
  }));
}

/** Formats the report. */
export function formatReport(results: SoakResults, violations: Violations): string {
  const { requests, duration, seed, callers, interrupted, sessions_compared: compared } = results;
  const total = Object.values(requests).reduce((sum, count) => sum + count, 0);
  const kinds = Object.entries(requests).map(([kind, count]) => `${kind} ${count}`);
  return [
    `${duration.toFixed(0)} s of load${interrupted ? ', stopped early' : ''}, ${callers} callers, seed ${seed}, ` +
      `Redis ${results.redis ? 'used' : 'not installed'}`,
    `${total} requests (${(total / duration).toFixed(1)}/s): ${kinds.join(', ')}`,
    `${compared} sessions compared at the end`,
    ...formatStalls(results),
    '',
    'Errors by fault',
    ...formatFaults(results.faults),
    '',
    'Growth over the second half',
    ...formatGrowth(results.growth),
    '',
    violations.format(SOAK_KINDS),
  ].join('\n');
}

/** Where the machine had no CPU for the test, calls may miss their limits. */
const formatStalls = ({ stalls, errors_of_stalls: errors }: SoakResults): string[] =>
  stalls === 0
    ? []
    : [`${stalls} half seconds without CPU for the test, which explain ${errors} errors outside of faults`];

/** One line for each fault, all its times together. */
function formatFaults(rows: readonly FaultRow[]): string[] {
  const byName = Object.entries(Object.groupBy(rows, ({ name }) => name)).toSorted(([a], [b]) =>
    a.localeCompare(b),
  );
  if (byName.length === 0) return ['  none'];
  return byName.map(([name, times = []]) => {
    const errors = new Map<string, number>();
    for (const row of times)
      for (const [code, count] of Object.entries(row.errors))
        errors.set(code, (errors.get(code) ?? 0) + count);
    const list = [...errors].map(([code, count]) => `${code} ${count}`).join(', ') || 'none';
    const last = Math.max(...times.map((row) => row.last_error_after ?? 0));
    const gone = last > 0 ? `; the last one ${last.toFixed(1)} s after it` : '';
    return `  ${name.padEnd(24)} ${times.length} x  ${list}${gone}`;
  });
}

function formatGrowth(growth: readonly Growth[]): string[] {
  const rows = growth.map((each) => {
    const { label, from, to, perHour, limitPerHour } = each;
    const verdict =
      limitPerHour === null
        ? ''
        : `, limit ${limitPerHour.toFixed(1)}/h${isTooFast(each) ? ' EXCEEDED' : ''}`;
    return `  ${label.padEnd(25)} ${from.toFixed(1)} to ${to.toFixed(1)}: ${perHour.toFixed(1)}/h${verdict}`;
  });
  if (growth.some(({ limitPerHour }) => limitPerHour === null))
    rows.push(`  Not judged: the run was shorter than ${JUDGED_FROM_S / 60} minutes.`);
  return rows.length > 0 ? rows : ['  Not measured: the run was too short.'];
}
