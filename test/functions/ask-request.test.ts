/** Invalid requests: the error says what is wrong, and the model is not called. */
import { afterEach, expect, it } from 'vitest';
import type { ErrorBody } from '../../src/lib/contract/responses.ts';
import { askForError, post } from '../support/app.ts';
import { useApp } from '../support/fixture.ts';

const app = useApp({ env: { MAX_QUESTION_CHARS: '1000' } });
afterEach(() => {
  expect(app.emulator.requests).toEqual([]);
});

const LONE_SURROGATE = '\\ud83d';

it.each([
  ['no JSON', '{"question": ', 'invalid_json', 'not valid JSON'],
  ['nothing', '', 'invalid_json', 'not valid JSON'],
  ['a list', '["question"]', 'invalid_json', 'not a JSON object'],
  ['null', 'null', 'invalid_json', 'not a JSON object'],
  ['no question', '{}', 'invalid_request', '"question" is missing'],
  ['question null', '{"question": null}', 'invalid_request', '"question" is missing'],
  ['a number as question', '{"question": 42}', 'invalid_request', '"question" must be a string'],
  ['a blank question', '{"question": " \\n\\t\\u00a0"}', 'invalid_request', '"question" must not be blank'],
  [
    'a number as session',
    '{"question": "q", "session_id": 7}',
    'invalid_request',
    '"session_id" must be a string',
  ],
  [
    'an empty session',
    '{"question": "q", "session_id": ""}',
    'invalid_request',
    '"session_id" must have 1 to 256',
  ],
  [
    'a long session',
    JSON.stringify({ question: 'q', session_id: 'x'.repeat(257) }),
    'invalid_request',
    '"session_id" must have 1 to 256',
  ],
  ['the session "."', '{"question": "q", "session_id": "."}', 'invalid_request', '"session_id" must not be'],
  [
    'the session ".."',
    '{"question": "q", "session_id": ".."}',
    'invalid_request',
    '"session_id" must not be',
  ],
  [
    'a word as new_conversation',
    '{"question": "q", "new_conversation": "yes"}',
    'invalid_request',
    '"new_conversation" must be true or false',
  ],
  ['a lone surrogate in the question', `{"question": "${LONE_SURROGATE}"}`, 'invalid_json', 'surrogate'],
  [
    'a lone surrogate in the session',
    `{"question": "q", "session_id": "${LONE_SURROGATE}"}`,
    'invalid_json',
    'surrogate',
  ],
  [
    'a lone surrogate in an unknown field',
    `{"question": "q", "x": [{"${LONE_SURROGATE}": 1}]}`,
    'invalid_json',
    'surrogate',
  ],
])('refuses %s with 400', async (_, body, code, message) => {
  const refused = await askForError(app, body);
  expect(refused.status).toBe(400);
  expect(refused.body.error.code).toBe(code);
  expect(refused.body.status).toContain(message);
  expect(refused.headers.get('x-request-id')).toBeTruthy();
});

it('refuses a body that is not UTF-8', async () => {
  const response = await post(app, new Uint8Array([0x7b, 0x22, 0xff, 0xfe, 0x22, 0x7d]));
  expect(response.status).toBe(400);
  expect(await response.text()).toContain('UTF-8');
});

it('refuses a question over the limit with 413, and accepts one at the limit', async () => {
  const refused = await askForError(app, { question: 'x'.repeat(1001) });
  expect(refused).toMatchObject({ status: 413, body: { error: { code: 'question_too_long', limit: 1000 } } });
  expect(refused.body.status).toContain('1000');
  const response = await post(app, JSON.stringify({ question: 'x'.repeat(1000) }));
  expect(response.status).toBe(200);
  app.emulator.reset();
});

it('accepts a question at the limit with the longest JSON encoding', async () => {
  const question = '\\u0041'.repeat(1000);
  const response = await post(app, `{"question": "${question}"}`);
  expect(response.status).toBe(200);
  app.emulator.reset();
});

it.each([
  ['announced', (bytes: Uint8Array) => bytes],
  ['streamed', (bytes: Uint8Array) => new Blob([bytes]).stream()],
])('refuses a body over the limit with 413: %s', async (_, toBody) => {
  const body = toBody(new TextEncoder().encode(JSON.stringify({ question: 'x'.repeat(30_000) })));
  const response = await fetch(`${app.url}/ask`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body,
    duplex: 'half',
  });
  expect(response.status).toBe(413);
  const { status, error } = (await response.json()) as ErrorBody;
  expect(error.code).toBe('body_too_large');
  expect(status).toContain(`larger than ${error.limit} bytes`);
});

it.each(['GET', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'])(
  'answers %s with 405 and the allowed method',
  async (method) => {
    const response = await fetch(`${app.url}/ask`, { method });
    expect(response.status).toBe(405);
    expect(response.headers.get('allow')).toBe('POST');
    expect(await response.json()).toMatchObject({ error: { code: 'method_not_allowed' } });
  },
);

it.each(['text/plain', 'application/x-www-form-urlencoded', 'application/jsonp'])(
  'refuses the content type %s with 415',
  async (type) => {
    const response = await post(app, '{"question": "q"}', { 'Content-Type': type });
    expect(response.status).toBe(415);
    expect(await response.json()).toMatchObject({ error: { code: 'unsupported_media_type' } });
  },
);

it('treats null as absent, ignores unknown fields, and accepts a charset', async () => {
  const response = await post(
    app,
    '{"question": "q", "session_id": null, "new_conversation": null, "other": 1}',
    {
      'Content-Type': 'application/json; charset=utf-8',
    },
  );
  expect(response.status).toBe(200);
  app.emulator.reset();
});

it('includes the session id in the error when the question has one', async () => {
  app.emulator.failNext({ kind: 'content_filter' });
  const failed = await askForError(app, { question: 'not asked before', session_id: 'named' });
  expect(failed).toMatchObject({
    status: 422,
    body: { session_id: 'named', error: { code: 'content_filtered' } },
  });
  app.emulator.reset();
});
