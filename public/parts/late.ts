/** Loads a part of the page when it is first needed. */
import { showToast } from './toast.ts';

/**
 * Calls `load`, an `import()` of a file whose name ends in `.late.ts`. When it cannot be loaded, says so and returns
 * undefined; the next call tries again.
 */
export async function loadLate<Part>(load: () => Promise<Part>): Promise<Part | undefined> {
  try {
    return await load();
  } catch {
    // After a deployment the server has other files than this page knows.
    void showToast('This part of the page could not be loaded. Check your connection, or reload the page.');
    return undefined;
  }
}
