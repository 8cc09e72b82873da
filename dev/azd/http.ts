/** Requests to a deployed app that may not respond yet. */

/** One look at an app that starts can take this long. */
const TIMEOUT_MS = 60_000;

/** Returns the status and the body of a response; or the reason, as a text, when there is none. */
export async function tryRequest(
  url: string,
  init: RequestInit,
): Promise<{ status: number; body: string } | string> {
  try {
    const signal = AbortSignal.timeout(TIMEOUT_MS);
    const response = await fetch(url, { ...init, redirect: 'manual', signal });
    return { status: response.status, body: await response.text() };
  } catch (error) {
    const cause = error instanceof Error ? (error.cause ?? error) : error;
    return cause instanceof Error ? cause.message || cause.name : String(cause);
  }
}
