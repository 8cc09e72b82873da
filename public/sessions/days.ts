/** Groups the list by the day of the last use. */
import type { Entry } from './entry.ts';

/** Entries of some days. */
export interface Days {
  heading: string;
  entries: Entry[];
}

const LAST_DAYS = 7;

/** Groups entries that are sorted, the most recently used first. */
export function groupByDay(entries: readonly Entry[], now: Date): Days[] {
  // By the calendar: days with a change of the clock are not 24 hours long.
  const dayBefore = (days: number) =>
    new Date(now.getFullYear(), now.getMonth(), now.getDate() - days).getTime();
  const headingOf = ({ usedAt }: Entry) => {
    if (usedAt >= dayBefore(0)) return 'Today';
    if (usedAt >= dayBefore(1)) return 'Yesterday';
    return usedAt >= dayBefore(LAST_DAYS) ? 'Last 7 days' : 'Older';
  };
  return [...Map.groupBy(entries, headingOf)].map(([heading, days]) => ({ heading, entries: days }));
}
