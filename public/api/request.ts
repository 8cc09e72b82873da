/** Sends requests to the API, with the key if there is one: a function key, or that of a caller. */
import { isText, stored } from '../parts/storage.ts';
import { reach } from './connection.ts';
import { type AskFailure, failureOf, isJson, offline, signedOut } from './failure.ts';
import { pageHasCallerKeys } from './sign-in.ts';

const MAX_STOPPING_SECONDS = 30;

/** Kept until the tab is closed. */
const key = stored('functions-key', isText, 'session');

/** Keeps the key until the tab is closed. */
export function keepKey(value: string): void {
  key.set(value);
}

/** Whether a key is stored; then a 401 means that it is wrong. */
export const hasKey = (): boolean => key.get() !== undefined;

/**
 * Sends a request to a path of this origin. When the instance that receives it is shutting down, it has done nothing:
 * the request is then sent once more.
 * @throws AskFailure when there is no response, or when the user has to sign in.
 */
export async function send(path: string, options: RequestInit): Promise<Response> {
  const response = await sendOnce(path, options);
  const stopping = await stoppingFailure(response);
  if (!stopping) return response;
  reach.emit('stopping');
  await pause(Math.min(stopping.retryAfter, MAX_STOPPING_SECONDS), options.signal);
  if (options.signal?.aborted) reach.emit('reached');
  return sendOnce(path, options);
}

async function sendOnce(path: string, options: RequestInit): Promise<Response> {
  const headers = new Headers(options.headers);
  const value = key.get();
  if (value && pageHasCallerKeys()) headers.set('Authorization', `Bearer ${value}`);
  else if (value) headers.set('x-functions-key', value);
  // No `cache` option: it makes browsers send Cache-Control, which bypasses the answer cache.
  const response = await fetch(path, { ...options, headers, redirect: 'manual' }).catch(() => null);
  // A request that was aborted shows nothing.
  if (!options.signal?.aborted) reach.emit(response ? 'reached' : 'unreachable');
  if (!response) throw offline();
  // The API never redirects: App Service authentication does, to its sign-in page.
  if (response.type === 'opaqueredirect') throw signedOut();
  return response;
}

async function stoppingFailure(response: Response): Promise<AskFailure | undefined> {
  if (response.status !== 503 || !isJson(response)) return undefined;
  const failure = await failureOf(response.clone());
  return failure.code === 'stopping' ? failure : undefined;
}

/** Waits. Ends early when the request is aborted; `fetch` then fails. */
function pause(seconds: number, signal: AbortSignal | null | undefined): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, 1000 * seconds);
    signal?.addEventListener('abort', () => {
      clearTimeout(timer);
      resolve();
    });
  });
}
