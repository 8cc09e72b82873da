/** The periods of budgets: days and months of the calendar in UTC, and minutes. */

/** The periods of budgets, the longest last. */
export type PeriodName = 'minute' | 'day' | 'month';

/** A period of the calendar. Milliseconds since 1970; the end is the start of the next one. */
export interface Period {
  startsAt: number;
  endsAt: number;
}

const MINUTE_MS = 60_000;
const DAY_MS = 1440 * MINUTE_MS;

/** Gives the period of `now` (milliseconds since 1970). */
export function periodAt(name: PeriodName, now: number): Period {
  if (name === 'month') {
    const date = new Date(now);
    const [year, month] = [date.getUTCFullYear(), date.getUTCMonth()];
    return { startsAt: Date.UTC(year, month), endsAt: Date.UTC(year, month + 1) };
  }
  const length = name === 'day' ? DAY_MS : MINUTE_MS;
  const startsAt = now - (now % length);
  return { startsAt, endsAt: startsAt + length };
}
