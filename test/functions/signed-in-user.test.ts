/**
 * Identification of the user by the headers of App Service authentication and their principal:
 * learn.microsoft.com/azure/app-service/configure-authentication-user-identities
 */
import { randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { ErrorBody, SessionList } from '../../src/lib/contract/responses.ts';
import { ask, askForError, startApp } from '../support/app.ts';
import { useApp } from '../support/fixture.ts';

const app = useApp({ env: { WEBSITE_AUTH_ENABLED: 'True' } });

const OBJECT_ID = 'http://schemas.microsoft.com/identity/claims/objectidentifier';
const NAME_ID = 'http://schemas.xmlsoap.org/ws/2005/05/identity/claims/nameidentifier';

const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64');

/** The principal header with these claims. */
const principal = (claims: Record<string, string>, provider = 'aad') => ({
  'x-ms-client-principal': encode({
    auth_typ: provider,
    claims: Object.entries(claims).map(([typ, val]) => ({ typ, val })),
    name_typ: 'http://schemas.xmlsoap.org/ws/2005/05/identity/claims/emailaddress',
    role_typ: 'http://schemas.microsoft.com/ws/2008/06/identity/claims/role',
  }),
});
const byId = (id: string, provider = 'aad') => ({
  'x-ms-client-principal-id': id,
  'x-ms-client-principal-idp': provider,
});
/** All headers that App Service sends for a user. */
const whole = (id: string) => ({
  ...principal({ [OBJECT_ID]: id }),
  ...byId(id),
  'x-ms-client-principal-name': 'ada@example.com',
});

async function sessionsOf(headers: Record<string, string>): Promise<string[]> {
  const response = await fetch(`${app.url}/sessions`, { headers });
  expect(response.status).toBe(200);
  return ((await response.json()) as SessionList).sessions.map(({ session_id }) => session_id);
}

describe('a user is the same', () => {
  it.each([
    ['without a name', (id: string) => ({ ...principal({ [OBJECT_ID]: id }), ...byId(id) })],
    ['by the claims alone', (id: string) => principal({ [NAME_ID]: 'pairwise', [OBJECT_ID]: id })],
    ['by the short name of the claim', (id: string) => principal({ sub: 'pairwise', oid: id })],
    ['by the name identifier', (id: string) => principal({ [NAME_ID]: id })],
    ['by the subject', (id: string) => principal({ sub: id })],
    ['by the id and the provider without a principal', (id: string) => byId(id)],
    [
      'when the principal cannot be read',
      (id: string) => ({ ...byId(id), 'x-ms-client-principal': 'bm8gSlNPTg==' }),
    ],
    [
      'by a principal of Static Web Apps',
      (id: string) => ({
        'x-ms-client-principal': encode({ identityProvider: 'aad', userId: id, userDetails: 'ada' }),
      }),
    ],
  ])('%s', async (_, headers) => {
    const id = randomUUID();
    const session_id = randomUUID();
    await ask(app, { question: 'My name is Ada.', session_id }, whole(id));
    const next = await ask(app, { question: 'What is my name?', session_id }, headers(id));
    expect([next.answer.includes('Ada'), next.chat_history.length]).toEqual([true, 4]);
    expect(await sessionsOf(headers(id))).toEqual([session_id]);
    expect(await sessionsOf(headers(randomUUID()))).toEqual([]);
  });
});

describe('a user without an id', () => {
  const noId = { 'x-ms-client-principal-name': 'ada@example.com', 'x-ms-client-principal-idp': 'aad' };
  it.each([
    ['no claims', { ...noId, ...principal({}) }],
    ['an empty id', { ...noId, ...principal({ [OBJECT_ID]: '' }), 'x-ms-client-principal-id': '' }],
    ['no principal', noId],
    ['no provider', { 'x-ms-client-principal': encode({ claims: [{ typ: OBJECT_ID, val: 'u' }] }) }],
    ['invalid JSON', { 'x-ms-client-principal': 'bm8gSlNPTg==' }],
    ['invalid base64', { 'x-ms-client-principal': '%%%' }],
    ['null', { 'x-ms-client-principal': encode(null) }],
    ['a list', { 'x-ms-client-principal': encode([1]) }],
    [
      'claims that are not a list',
      { 'x-ms-client-principal': encode({ auth_typ: 'aad', claims: { typ: 1 } }) },
    ],
    [
      'claims of wrong types',
      {
        'x-ms-client-principal': encode({ auth_typ: 'aad', claims: [null, 7, { typ: OBJECT_ID, val: {} }] }),
      },
    ],
    ['Static Web Apps', { 'x-ms-client-principal': encode({ identityProvider: 'aad', userId: null }) }],
  ])('gets 401 not_signed_in on every route of sessions: %s', async (_, headers: Record<string, string>) => {
    const refused = await askForError(app, { question: 'q', session_id: 's' }, headers);
    expect([refused.status, refused.body.error.code]).toEqual([401, 'not_signed_in']);
    expect(refused.body.status).toContain('sign in again');
    for (const [method, path] of [
      ['GET', '/sessions'],
      ['GET', '/sessions/s'],
      ['DELETE', '/sessions/s'],
    ] as const) {
      const response = await fetch(app.url + path, { method, headers });
      expect([path, response.status]).toEqual([path, 401]);
      expect(((await response.json()) as ErrorBody).error.code).toBe('not_signed_in');
    }
    expect((await fetch(`${app.url}/health/ready`, { headers })).status).toBe(200);
  });
});

it('sessions belong to the user too where the template says that the headers are trusted', async () => {
  const flex = await startApp({ env: { TRUST_USER_HEADERS: 'true' } });
  try {
    const id = randomUUID();
    const session_id = randomUUID();
    await ask(flex, { question: 'My name is Ada.', session_id }, whole(id));
    expect((await ask(flex, { question: 'q', session_id }, whole(id))).chat_history).toHaveLength(4);
    expect((await ask(flex, { question: 'q', session_id }, whole(randomUUID()))).chat_history).toHaveLength(
      2,
    );
  } finally {
    await flex.stop();
  }
});

it.each([{}, { TRUST_USER_HEADERS: 'false' }])('headers that nobody trusts are ignored: %j', async (env) => {
  const open = await startApp({ env });
  try {
    const headers = { 'x-ms-client-principal': 'bm8gSlNPTg==', 'x-ms-client-principal-id': 'u' };
    expect((await ask(open, { question: 'q' }, headers)).status).toBe('success');
  } finally {
    await open.stop();
  }
});
