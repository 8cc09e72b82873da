/** Whether a deployed app keeps out those who have not signed in, and shows them the page. */
import { tryRequest } from './http.ts';
import type { NotAnswering } from './readiness.ts';

/** Returns what is wrong; null when a question without a sign-in gets 401, and the page is shown to everyone. */
export async function whySignInFails(url: string): Promise<NotAnswering | null> {
  const page = await statusOf(`${url}/`, 'GET');
  if (page !== 'HTTP 200') return { text: `The page is not shown yet (${page})` };
  const question = await statusOf(`${url}/ask`, 'POST');
  if (question === 'HTTP 401') return null;
  return { text: `A question without a sign-in got ${question} instead of HTTP 401` };
}

async function statusOf(url: string, method: string): Promise<string> {
  const response = await tryRequest(url, { method });
  return typeof response === 'string' ? response : `HTTP ${response.status}`;
}
