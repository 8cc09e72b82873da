/** Reads the turns of a session: what the server has stored, and what it has not yet. */
import type { ChatMessage } from '../../src/lib/contract/responses.ts';
import { readState } from '../api/answer.ts';
import { readSession } from '../api/sessions.ts';
import { askedIn, type AskedQuestion, forgetAsked } from './asked.ts';
import { Turn } from './turn.ts';
import { versionsOf } from './versions.ts';

/** The turns of a session, oldest first. */
export interface SessionTurns {
  /** What is stored. Answers that are being replaced are in progress. */
  stored: Turn[];
  /** Questions whose answers are not stored. They follow those that are. */
  open: Turn[];
  /** The address of the page before; null when there is none. */
  next: string | null;
}

/** Reads the newest page of a session. @throws AskFailure */
export async function readTurns(session: string, signal: AbortSignal): Promise<SessionTurns> {
  // First, so that what is stored meanwhile is in the session that is read then.
  const asked = await unstored(askedIn(session), signal);
  const { messages, next, answering } = await readSession(session, signal);
  const stored = turnsOf(messages, session);
  const others: AskedQuestion[] = answering
    .filter(({ key }) => asked.every((each) => each.key !== key))
    .map(({ started_at: at, ...rest }) => ({ ...NEW, ...rest, session, askedAt: Date.parse(at) }));
  const open: Turn[] = [];
  for (const each of [...asked, ...others].toSorted((a, b) => a.askedAt - b.askedAt)) {
    if (each.replaces === undefined) open.push(turnOf(each));
    else replaceIn(stored, each);
  }
  return { stored, open, next };
}

/** Puts a question into the place of the answer that it replaces. On an earlier page, its end is not waited for. */
function replaceIn(stored: Turn[], asked: AskedQuestion): void {
  const at = stored.findIndex(({ position }) => position === asked.replaces);
  const turn = stored[at];
  if (!turn) return;
  if (turn.question !== asked.question) return void (stored[at] = turnOf(asked));
  turn.asked = asked;
  turn.pastCache = asked.pastCache;
  turn.replace();
  turn.note('resumed');
}

/** What is not known of a question of another browser, and does not matter while it is answered. */
const NEW = { pastCache: false, isStopped: false };

/** Leaves out the questions whose answers the session has, and forgets them. */
async function unstored(asked: AskedQuestion[], signal: AbortSignal): Promise<AskedQuestion[]> {
  const states = await Promise.all(
    asked.map(async (each) => (each.isStopped ? undefined : readState(each, signal))),
  );
  return asked.filter((each, at) => {
    const { state, position } = states[at] ?? {};
    // An answer that could not be stored cannot be read any more.
    const isOver = state === 'answered' || (state === 'stopped' && position !== undefined);
    if (isOver) forgetAsked(each);
    return !isOver;
  });
}

function turnOf(asked: AskedQuestion): Turn {
  const turn = new Turn(asked.question, asked);
  turn.asked = asked;
  if (asked.isStopped) turn.stop();
  else turn.note('resumed');
  return turn;
}

/** The turns of a chat history. */
export function turnsOf(messages: readonly ChatMessage[], session: string): Turn[] {
  const turns: Turn[] = [];
  for (const { role, content, position, stopped: isStopped = false } of messages) {
    if (role === 'human') turns.push(new Turn(content));
    const turn = turns.at(-1);
    if (role === 'human' || !turn) continue;
    if (position !== undefined) turn.earlier = versionsOf(session, position);
    turn.end({ answer: content, isStopped, position, isCut: false });
  }
  return turns;
}

/**
 * The turns that are shown after a session was read again: those that are known stay the same objects. `shown` may begin
 * with earlier pages, and has turns that the server did not store.
 */
export function mergeTurns(shown: readonly Turn[], { stored, open }: SessionTurns): Turn[] {
  const known = (turn: Turn) =>
    shown.find((each) =>
      turn.asked ? each.asked?.key === turn.asked.key : each.position === turn.position && !each.isOpen,
    );
  const first = shown.findIndex(({ position }) => position !== undefined && position === stored[0]?.position);
  const earlier = first > 0 ? shown.slice(0, first) : [];
  const unsaved = shown.filter(({ state, position }) => state === 'answered' && position === undefined);
  const now = [...stored, ...open].map((turn) => known(turn) ?? turn);
  return [...new Set([...earlier, ...now, ...unsaved])];
}
