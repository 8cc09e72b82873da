/** Client of everything that is kept of the user. */
import type { UserErasure } from '../../src/lib/contract/user-data.ts';
import { AskFailure, failureOf } from './failure.ts';
import { send } from './request.ts';

/** Pause before the next look at a deletion that goes on. */
const PAUSE_MS = 2000;

/** Deletes everything on the server, and resolves when that is done. @throws AskFailure */
export async function eraseMe(): Promise<void> {
  for (;;) {
    const response = await send('/users/me', { method: 'DELETE' });
    if (!response.ok) throw await failureOf(response);
    const { state } = (await response.json()) as UserErasure;
    if (state === 'erased') return;
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
}

/** Gives everything on the server as JSON lines. @throws AskFailure also when it is not complete. */
export async function exportMe(): Promise<Blob> {
  const response = await send('/users/me/export', {});
  if (!response.ok) throw await failureOf(response);
  const data = await response.blob();
  const lines = (await data.text()).trimEnd().split('\n');
  const { type } = JSON.parse(lines.at(-1) ?? '') as { type: string };
  if (type !== 'end') throw new AskFailure('It broke off before its end. Try again.');
  return data;
}
