/** What keeps a deployed app from answering questions: it starts, a role is missing, or it is broken. */
import * as z from 'zod/mini';
import { errorBody, notReady } from '../../src/lib/contract/responses.ts';
import type { Target } from '../smoke/client.ts';
import { tryRequest } from './http.ts';
import type { Role } from './roles.ts';

/** Why an app does not answer yet. */
export interface NotAnswering {
  text: string;
  /** The role without which this happens. */
  role?: Role;
  /** Waiting is of no use. */
  isFinal?: boolean;
}

/** The parts of responses that matter here. */
const unready = z.object({ checks: notReady.shape.checks });
const answered = z.object({ session_id: z.string() });

/**
 * Returns why the app cannot answer questions; null when it can. First it asks `/health/ready`, which checks settings and storage
 * but calls no model; then, once, the model. Other errors of the model than a missing role are left to the smoke test.
 */
export async function whyNotReady(target: Target): Promise<NotAnswering | null> {
  const response = await request(target, 'GET', '/health/ready');
  if (typeof response === 'string') return { text: `The app does not respond yet (${response})` };
  const { status, body } = response;
  if (status === 200) return whyNotAnswering(target);
  if (status === 401) return { text: 'The app does not accept the function key yet' };
  if (status === 404) return { text: 'The app has no functions yet' };
  const checks = parse(unready, body)?.checks;
  if (!checks) return { text: `The app is starting (HTTP ${status})` };
  if (checks.configuration === 'failing')
    return { text: 'The settings of the app are invalid', isFinal: true };
  if (checks.storage === 'failing')
    return { text: 'Storage refuses the app or is not reached', role: 'Storage Table Data Contributor' };
  return { text: 'The app does not reach the model' };
}

/** Asks one question, and deletes its session. */
async function whyNotAnswering(target: Target): Promise<NotAnswering | null> {
  const response = await request(target, 'POST', '/ask', { question: 'Reply with the word "ready".' });
  if (typeof response === 'string') return { text: `The app does not answer yet (${response})` };
  const code = parse(errorBody, response.body)?.error.code;
  if (code === 'model_misconfigured')
    return { text: 'The model refuses the app', role: 'Cognitive Services OpenAI User' };
  const id = parse(answered, response.body)?.session_id;
  if (id !== undefined) await request(target, 'DELETE', `/sessions/${encodeURIComponent(id)}`);
  return null;
}

const request = ({ url, key }: Target, method: string, path: string, fields?: object) =>
  tryRequest(url + path, {
    method,
    headers: { 'x-functions-key': key ?? '', 'content-type': 'application/json' },
    ...(fields && { body: JSON.stringify(fields) }),
  });

function parse<T>(schema: z.ZodMiniType<T>, body: string): T | undefined {
  try {
    return schema.safeParse(JSON.parse(body)).data;
  } catch {
    // Not JSON, as the error pages of the platform.
    return undefined;
  }
}
