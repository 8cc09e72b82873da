/** Exports a conversation as a file. */
import { failureFrom } from '../api/failure.ts';
import { readWholeSession } from '../api/whole-session.ts';
import type { Conversation } from '../model/conversation.ts';
import { loadLate } from '../parts/late.ts';
import type { MenuGroup } from '../parts/menu.ts';
import { showToast } from '../parts/toast.ts';
import type { ExportFormat } from './export.late.ts';

const MESSAGES: Record<ExportFormat, string> = {
  markdown: 'The conversation was exported.',
  json: 'The conversation was exported. The file contains its id, which gives access to it.',
};

/** The exports of the open conversation, for a menu; none while the server has nothing of it. */
export function exportChoice({ sessionId, turns }: Conversation, title: string): MenuGroup[] {
  if (sessionId === null || !turns.some(({ state }) => state === 'answered')) return [];
  const item = (label: string, format: ExportFormat) => ({
    label,
    icon: 'download' as const,
    run: () => void exportSession(sessionId, title, format),
  });
  return [{ items: [item('Export as Markdown', 'markdown'), item('Export as JSON', 'json')] }];
}

/** Saves what the server has of the session: all pages, without stopped and failed turns. */
async function exportSession(sessionId: string, title: string, format: ExportFormat): Promise<void> {
  const part = await loadLate(() => import('./export.late.ts'));
  if (!part) return;
  try {
    part.save(await readWholeSession(sessionId), title, format);
    void showToast(MESSAGES[format]);
  } catch (error) {
    void showToast(`The conversation was not exported. ${failureFrom(error).message}`);
  }
}
