/** The report of `npm run soak`: as text, as the object that `--json` writes, and as tables of the documents. */
import { formatTable, tableOf } from '../harness/results.ts';
import type { FaultWindow } from './errors.ts';
import { type Growth, isTooFast, JUDGED_FROM_S, type Sample } from './growth.ts';
import type { Kind, Violation } from './violations.ts';

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

/** The results of a run. The file has those of every test too. */
export interface SoakResults {
  seed: number;
  callers: number;
  /** Seconds of load. */
  duration: number;
  redis: boolean;
  requests: Record<string, number>;
  sessions_compared: number;
  /** Half seconds in which the machine gave the test no CPU for 50 ms, and errors that only these explain. */
  stalls: number;
  errors_of_stalls: number;
  faults: FaultRow[];
  growth: Growth[];
  samples: Sample[];
  interrupted?: boolean;
  violations?: Partial<Record<Kind, number>>;
  details?: Violation[];
}

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

/** Number of requests. */
export const totalOf = ({ requests }: Pick<SoakResults, 'requests'>): number =>
  Object.values(requests).reduce((sum, count) => sum + count, 0);

/** The tables of the documents. */
export function tablesOf(results: SoakResults, violations: number): Record<string, string[][]> {
  const { duration, faults, seed } = results;
  const last = Math.max(0, ...faults.map((row) => row.last_error_after ?? 0));
  const soak = {
    Minutes: (duration / 60).toFixed(duration < 600 ? 1 : 0),
    Seed: String(seed),
    Requests: totalOf(results).toLocaleString('en'),
    Faults: `${faults.length} of ${new Set(faults.map(({ name }) => name)).size} kinds`,
    'Last error after its fault': `${last.toFixed(1)} s`,
    'Half seconds without CPU': String(results.stalls),
    Violations: String(violations),
  };
  return { soak: tableOf([soak]), growth: growthTable(results.growth) };
}

/** Formats the report. */
export function formatReport(
  results: SoakResults,
  { soak = [], growth = [] }: Record<string, string[][]>,
): string {
  const { requests, callers, redis, duration } = results;
  const kinds = Object.entries(requests).map(([kind, count]) => `${kind} ${count}`);
  return [
    formatTable(soak),
    '',
    `${callers} callers, Redis ${redis ? 'used' : 'not installed'}, ${results.sessions_compared} sessions compared at the end`,
    `requests: ${kinds.join(', ')}`,
    // Where the machine had no CPU for the test, calls may miss their limits.
    `${results.errors_of_stalls} errors outside of faults are explained by half seconds without CPU`,
    '',
    formatTable(faultTable(results.faults)),
    '',
    formatTable(growth),
    ...(duration < JUDGED_FROM_S
      ? [`Not judged: the run was shorter than ${JUDGED_FROM_S / 60} minutes.`]
      : []),
  ].join('\n');
}

/** One line for each fault, all its times together. */
function faultTable(rows: readonly FaultRow[]): string[][] {
  const byName = Object.entries(Object.groupBy(rows, ({ name }) => name)).map(([name, times = []]) => {
    const errors = new Map<string, number>();
    for (const [code, count] of times.flatMap((row) => Object.entries(row.errors)))
      errors.set(code, (errors.get(code) ?? 0) + count);
    const last = Math.max(...times.map((row) => row.last_error_after ?? 0));
    const list = [...errors].map(([code, count]) => `${code} ${count}`).join(', ') || 'none';
    return [name, String(times.length), last > 0 ? `${last.toFixed(1)} s` : '', list];
  });
  return [
    ['Fault', 'Times', 'Last error after it', 'Errors'],
    ...byName.toSorted(([a = ''], [b = '']) => a.localeCompare(b)),
  ];
}

function growthTable(growth: readonly Growth[]): string[][] {
  const rows = growth.map((each) => {
    const { label, from, to, perHour, limitPerHour } = each;
    const limit =
      limitPerHour === null ? '' : `${limitPerHour.toFixed(1)}${isTooFast(each) ? ' EXCEEDED' : ''}`;
    return [label, `${from.toFixed(1)} to ${to.toFixed(1)}`, perHour.toFixed(1), limit];
  });
  return [['Figure', 'Second half of the run', 'Per hour', 'Limit'], ...rows];
}
