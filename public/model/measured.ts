/**
 * What this tab has measured, kept until the tab is closed. The server returns the texts of earlier turns without their
 * measurements, so a reload takes them from here.
 */
import type { PerformanceMetrics } from '../../src/lib/contract/metrics.ts';
import { isText, stored } from '../parts/storage.ts';
import { isMetrics } from './metrics-shape.ts';
import type { Turn } from './turn.ts';

/** The measurements of one answer. */
export interface Measured {
  session: string;
  /** Tells the texts of a turn from others without storing them. */
  digest: string;
  metrics: PerformanceMetrics;
}

/** About 120 KB. */
const MAX_KEPT = 100;

const kept = stored('measured', (value): value is unknown[] => Array.isArray(value), 'session');

/** The newest measurements of this tab, oldest first. */
export const measured = (): Measured[] => (kept.get() ?? []).filter(isMeasured);

/** Keeps the measurements of an answer. */
export function keepMeasured(
  session: string,
  question: string,
  answer: string,
  metrics: PerformanceMetrics,
): void {
  const entry = { session, digest: digestOf(question, answer), metrics };
  kept.set([...measured(), entry].slice(-MAX_KEPT));
}

/**
 * Gives the turns of a session their measurements. Equal turns, of which another tab may have asked some, get theirs
 * only when this tab has measured all of them: no turn shows those of another one.
 */
export function restoreMeasured(session: string, turns: readonly Turn[]): void {
  const entries = measured().filter((each) => each.session === session && each.metrics.history_saved);
  const entriesOf = Map.groupBy(entries, ({ digest }) => digest);
  const turnsOf = Map.groupBy(turns, ({ question, answer }) => digestOf(question, answer));
  for (const [digest, equal] of turnsOf) {
    const found = entriesOf.get(digest) ?? [];
    if (found.length !== equal.length) continue;
    for (const [index, turn] of equal.entries())
      if (turn.state === 'answered') turn.measure(found[index]?.metrics);
  }
}

function isMeasured(value: unknown): value is Measured {
  if (typeof value !== 'object' || value === null) return false;
  const { session, digest, metrics } = value as Partial<Record<keyof Measured, unknown>>;
  return isText(session) && isText(digest) && isMetrics(metrics);
}

/** A hash of 64 bits (two of FNV-1a), with the length. `crypto.subtle` is not there without https. */
function digestOf(question: string, answer: string): string {
  const text = JSON.stringify([question, answer]);
  let [first, second] = [0x811c9dc5, 0x9747b28c];
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at);
    first = Math.imul(first ^ unit, 0x01000193);
    second = Math.imul(second ^ unit, 0x5bd1e995);
  }
  return [first >>> 0, second >>> 0, text.length].map((part) => part.toString(36)).join('-');
}
