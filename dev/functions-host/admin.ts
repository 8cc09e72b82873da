/** The host's administration API: `/admin/host/status` and `/admin/functions/NAME`. */
import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { FunctionApp } from './app.ts';
import { answer, answerFailure } from './http.ts';

/** Answers a request below `/admin/`: reports the status, or runs a function that is not triggered by HTTP. */
export async function serveAdmin(
  app: FunctionApp,
  path: string,
  request: IncomingMessage,
  response: ServerResponse,
) {
  if (request.method === 'GET' && /^\/admin\/host\/status$/i.test(path)) {
    response.setHeader('content-type', 'application/json').end(JSON.stringify({ state: 'Running' }));
    return;
  }
  const name = request.method === 'POST' && /^\/admin\/functions\/([^/]+)$/i.exec(path)?.[1]?.toLowerCase();
  const fn = app.functions.find((each) => each.name.toLowerCase() === name);
  if (!fn || /^httptrigger$/i.test(fn.trigger.type)) return answer(response, 404);
  const input = /^timertrigger$/i.test(fn.trigger.type) ? timerInput() : {};
  try {
    // The real host answers before the function has run. Tests need the outcome, so this host waits for it.
    await app.invoke(fn, { id: randomUUID(), data: { json: JSON.stringify(input) } });
    answer(response, 202);
  } catch (error) {
    answerFailure(response, fn, error);
  }
}

function timerInput() {
  const now = new Date().toISOString();
  const ScheduleStatus = { Last: now, Next: now, LastUpdated: now };
  return { Schedule: { AdjustForDST: true }, ScheduleStatus, IsPastDue: false };
}
