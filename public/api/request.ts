/** Sends requests to the API, with the function key if there is one. */
import { isText, stored } from '../parts/storage.ts';
import { offline } from './failure.ts';

/** Kept until the tab is closed. */
const key = stored('functions-key', isText, 'session');

/** Keeps the function key until the tab is closed. */
export function keepKey(value: string): void {
  key.set(value);
}

/** Whether a key is stored; then a 401 means that it is wrong. */
export const hasKey = (): boolean => key.get() !== undefined;

/**
 * Sends a request to a path of this origin.
 * @throws AskFailure when there is no response.
 */
export async function send(path: string, options: RequestInit): Promise<Response> {
  const headers = new Headers(options.headers);
  const value = key.get();
  if (value) headers.set('x-functions-key', value);
  try {
    // No `cache` option: it makes browsers send Cache-Control, which bypasses the answer cache.
    return await fetch(path, { ...options, headers });
  } catch {
    throw offline();
  }
}
