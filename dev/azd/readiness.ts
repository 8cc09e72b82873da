/** What keeps a deployed app from answering questions (it starts, a role is missing, it is broken), and what to do about it. */
import * as z from 'zod/mini';
import { errorBody, notReady } from '../../src/lib/contract/responses.ts';
import { keyHeaders, type Target } from '../smoke/client.ts';
import { missingRoles, readRoles, type Role } from './roles.ts';

/** Time limit of one check of an app that starts. */
const TIMEOUT_MS = 60_000;
const MINUTE_MS = 60_000;

/** Why an app does not answer yet. */
export interface NotAnswering {
  text: string;
  /** The role without which this happens. */
  role?: Role;
  /** Waiting does not help. */
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

/**
 * Returns why an app does not keep out those who have not signed in; null when a question without a sign-in gets 401, and the
 * page is shown to everyone.
 */
export async function whySignInFails(url: string): Promise<NotAnswering | null> {
  const page = await statusOf(`${url}/`, 'GET');
  if (page !== 'HTTP 200') return { text: `The page is not shown yet (${page})` };
  const question = await statusOf(`${url}/ask`, 'POST');
  if (question === 'HTTP 401') return null;
  return { text: `A question without a sign-in got ${question} instead of HTTP 401` };
}

/** Returns what to do about an app that does not answer in time: a role is missing or not in effect, or the app is broken. */
export async function adviseOn(
  { text, role, isFinal }: NotAnswering,
  app: { name: string; principalId: string },
): Promise<string> {
  const log = `The log has the reason: func azure functionapp logstream ${app.name}`;
  if (isFinal) return `${text}. ${log}`;
  const ages = await readRoles(app.principalId);
  if (typeof ages === 'string') return `${text}. Whether its identity has its roles is unknown: ${ages}`;
  const missing = missingRoles(ages);
  if (missing.length > 0)
    return `${text}: its identity lacks ${missing.join(', ')}. Run "azd provision" as an account that may assign roles.`;
  if (role === undefined) return `${text}, although its identity has all roles: the app is broken. ${log}`;
  const minutes = Math.round((ages.get(role) ?? 0) / MINUTE_MS);
  return `${text}, although its identity has had the role ${role} for ${minutes} min: the network may be closed to the app. ${log}`;
}

const request = (target: Target, method: string, path: string, fields?: object) =>
  tryRequest(target.url + path, {
    method,
    headers: { ...keyHeaders(target), 'content-type': 'application/json' },
    ...(fields && { body: JSON.stringify(fields) }),
  });

async function statusOf(url: string, method: string): Promise<string> {
  const response = await tryRequest(url, { method });
  return typeof response === 'string' ? response : `HTTP ${response.status}`;
}

/** Returns the status and the body of a response; or the reason, as a text, when there is none. */
async function tryRequest(
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

function parse<T>(schema: z.ZodMiniType<T>, body: string): T | undefined {
  try {
    return schema.safeParse(JSON.parse(body)).data;
  } catch {
    // Not JSON, as the error pages of the platform.
    return undefined;
  }
}
