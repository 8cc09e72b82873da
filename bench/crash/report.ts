/** The table of `npm run crash`. */
import type { Victim } from './victims.ts';

/** The results of one round. */
export interface Round {
  victim: Victim;
  /** Requests by what became of them: `done`, `error`, `gone`. */
  requests: Record<string, number>;
  /** Sessions that were compared. */
  sessions: number;
  /** Questions that were repeated with their Idempotency-Key. */
  repeats: number;
  /** Answers after the crash, by the cache tier that had them, or by the result of the search. */
  cache: Record<string, number>;
}

const NAMES: Record<Victim, string> = {
  app: 'app killed',
  storage: 'storage killed',
  redis: 'Redis killed',
  stop: 'app stopped (SIGTERM)',
};

/** One line for each victim, all its rounds together. */
export function formatRounds(rounds: readonly Round[]): string {
  const rows = Object.entries(Object.groupBy(rounds, ({ victim }) => victim)).map(([victim, some]) => {
    const compared = sum(some.map(({ sessions, repeats }) => ({ sessions, repeats })));
    return (
      `  ${NAMES[victim as Victim].padEnd(22)} ${String(some.length).padStart(3)} x  requests: ` +
      `${list(sum(some.map(({ requests }) => requests)))}; compared: ${list(compared)}; ` +
      `cache afterwards: ${list(sum(some.map(({ cache }) => cache)))}`
    );
  });
  return [`${rounds.length} rounds`, ...rows].join('\n');
}

function sum(counts: readonly Record<string, number>[]): Record<string, number> {
  const total: Record<string, number> = {};
  for (const count of counts)
    for (const [name, value] of Object.entries(count)) total[name] = (total[name] ?? 0) + value;
  return total;
}

const list = (counts: Record<string, number>): string =>
  Object.entries(counts)
    .map(([name, count]) => `${name} ${count}`)
    .join(', ');
