/** The export and the deletion of everything that is kept of the user, on the server and in this browser. */
import { failureFrom } from '../api/failure.ts';
import { eraseMe, exportMe } from '../api/my-data.ts';
import { element } from '../parts/dom.ts';
import type { MenuGroup } from '../parts/menu.ts';
import { forgetStored } from '../parts/storage.ts';
import { showToast } from '../parts/toast.ts';
import type { SessionStore } from '../sessions/session-store.ts';

/** What this browser keeps after a deletion: how the page looks, and that the user may use it. */
const KEPT = ['theme', 'column.', 'functions-key', 'signed-in'];
/** Time for the browser to take the file. */
const TAKE_MS = 10_000;

/** The entries of a menu; none while the server does not know the user. */
export function myDataChoice({ source }: SessionStore): MenuGroup[] {
  if (source !== 'server') return [];
  return [
    {
      items: [
        { label: 'Export all my data', icon: 'download', run: () => void exportAll() },
        { label: 'Delete all my data', icon: 'delete', run: () => void deleteAll() },
      ],
    },
  ];
}

async function exportAll(): Promise<void> {
  try {
    const href = URL.createObjectURL(await exportMe());
    element('a', { href, download: 'my-data.jsonl' }).click();
    setTimeout(() => URL.revokeObjectURL(href), TAKE_MS);
    void showToast('All your data was exported.');
  } catch (error) {
    void showToast(`Your data was not exported. ${failureFrom(error).message}`);
  }
}

async function deleteAll(): Promise<void> {
  const question = 'This deletes all your conversations for ever, here and on the server.';
  if ((await showToast(question, 'Delete all')) !== 'action') return;
  try {
    await eraseMe();
  } catch (error) {
    void showToast(`Your data was not deleted. ${failureFrom(error).message}`);
    return;
  }
  forgetStored(KEPT);
  // Nothing of a conversation stays in the page or in its address.
  location.replace(location.pathname);
}
