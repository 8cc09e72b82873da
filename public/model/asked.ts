/**
 * The questions whose answers are not in their sessions yet, kept in this browser from before they are sent: a reload,
 * another conversation or another tab finds them, and follows the answers by their keys.
 */
import type { KeyedQuestion } from '../api/answer.ts';
import { isFlag, isText, stored } from '../parts/storage.ts';

/** A question that was asked, or is about to be. */
export interface AskedQuestion extends KeyedQuestion {
  /** In milliseconds since 1970. */
  askedAt: number;
  /** It was stopped before there was any text: then the server stores nothing. */
  isStopped: boolean;
}

const MAX_KEPT = 50;
/** The server keeps keys for this time. */
const MAX_AGE_MS = 24 * 3600 * 1000;

const kept = stored('asked', (value): value is unknown[] => Array.isArray(value));

/** The questions of a session, in the order in which they were asked. */
export const askedIn = (session: string): AskedQuestion[] => all().filter((each) => each.session === session);

/** Keeps a question, in place of the one with its key. */
export function keepAsked(question: AskedQuestion): void {
  kept.set([...all().filter(({ key }) => key !== question.key), question].slice(-MAX_KEPT));
}

/** Forgets a question: its answer is in the session, or it is not wanted any more. */
export const forgetAsked = ({ key }: AskedQuestion): void => forget((each) => each.key === key);

/** Forgets the questions of a session. */
export const forgetAskedIn = (session: string): void => forget((each) => each.session === session);

/** Creates an id; `crypto.randomUUID` is not there without https. */
export function newId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  const hex = Array.from(bytes, (byte, at) => {
    const marked = at === 6 ? (byte & 0x0f) | 0x40 : at === 8 ? (byte & 0x3f) | 0x80 : byte;
    return marked.toString(16).padStart(2, '0');
  }).join('');
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
}

function forget(isForgotten: (question: AskedQuestion) => boolean): void {
  const others = all().filter((each) => !isForgotten(each));
  if (others.length > 0) kept.set(others);
  else kept.remove();
}

const all = (): AskedQuestion[] =>
  (kept.get() ?? []).filter(isAsked).filter(({ askedAt }) => Date.now() - askedAt < MAX_AGE_MS);

function isAsked(value: unknown): value is AskedQuestion {
  const { session, key, question, pastCache, replaces, askedAt, isStopped } = (value ?? {}) as Record<
    string,
    unknown
  >;
  const areTexts = [session, key, question, replaces ?? ''].every(isText);
  return areTexts && isFlag(pastCache) && isFlag(isStopped) && typeof askedAt === 'number';
}
