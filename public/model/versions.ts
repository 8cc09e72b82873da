/** Earlier answers, whose place a newer one has taken. The server has the newest only; this tab keeps the others. */
import { isText, stored } from '../parts/storage.ts';

/** The earlier answers of one interaction, the oldest first. */
interface Versions {
  session: string;
  /** That of the newest answer. */
  position: string;
  answers: string[];
}

const MAX_KEPT = 30;
const MAX_VERSIONS = 10;

const kept = stored('versions', (value): value is unknown[] => Array.isArray(value), 'session');

/** The earlier answers of the interaction at this position, the oldest first. */
export const versionsOf = (session: string, position: string): string[] =>
  all().find((each) => each.session === session && each.position === position)?.answers ?? [];

/** Keeps the earlier answers of an interaction that was at `from` and now is at `position`. */
export function keepVersions(from: string, { answers, ...where }: Versions): void {
  const others = all().filter(({ session, position }) => session !== where.session || position !== from);
  kept.set([...others, { ...where, answers: answers.slice(-MAX_VERSIONS) }].slice(-MAX_KEPT));
}

const all = (): Versions[] => (kept.get() ?? []).filter(isVersions);

function isVersions(value: unknown): value is Versions {
  const { session, position, answers } = (value ?? {}) as Record<string, unknown>;
  return isText(session) && isText(position) && Array.isArray(answers) && answers.every(isText);
}
