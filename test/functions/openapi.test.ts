/** GET /openapi.json: the document matches its committed copy, passes a linter, and describes every response. */
import { readFileSync } from 'node:fs';
import { createConfig, lint } from '@redocly/openapi-core';
import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { OPENAPI_FILE, openApiText } from '../../dev/openapi.ts';
import { OPENAI_CODES } from '../../src/lib/contract/openai-error.ts';
import { ERROR_CODES } from '../../src/lib/contract/responses.ts';
import { checked } from '../support/contract.ts';
import { scaled } from '../support/effort.ts';
import { useApp } from '../support/fixture.ts';

const app = useApp({
  enableAuth: true,
  env: { MAX_QUESTION_CHARS: '1000', WEBSITE_AUTH_ENABLED: 'True' },
});

it('is served without a key, and equals the committed copy', async () => {
  const response = await fetch(`${app.url}/openapi.json`);
  expect(response.headers.get('content-type')).toBe('application/json');
  const committed = readFileSync(OPENAPI_FILE, 'utf8');
  // Run `npm run openapi` when this fails.
  expect(committed).toBe(openApiText());
  expect(await response.json()).toEqual(JSON.parse(committed));
  expect(await (await fetch(app.url)).text()).toContain('<a href="openapi.json">');
});

it('passes the linter', async () => {
  const config = await createConfig({ extends: ['recommended-strict'] });
  const problems = await lint({ ref: OPENAPI_FILE, config });
  expect(problems.map(({ ruleId, message }) => `${ruleId}: ${message}`)).toEqual([]);
});

it('has an example of every error', () => {
  const shown = [...openApiText().matchAll(/"code": "(\w+)"/g)].map(([, code]) => code);
  expect(new Set(shown)).toEqual(new Set([...ERROR_CODES, ...Object.values(OPENAI_CODES)]));
});

interface Request {
  method: string;
  path: string;
  headers: Record<string, string>;
  body: string | null;
}

const REQUESTS_AT_ONCE = 25;

const mostly = <T>(usual: fc.Arbitrary<T>, odd: fc.Arbitrary<T>): fc.Arbitrary<T> =>
  fc.oneof({ weight: 4, arbitrary: usual }, { weight: 1, arbitrary: odd });

const anyText = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.string(),
  fc.constantFrom('', ' ', '.', '..', '\u0000', 'x'.repeat(256), 'x'.repeat(257), 'x'.repeat(1001)),
);
const anyValue: fc.Arbitrary<unknown> = fc.oneof(anyText, fc.jsonValue());
const field = (usual: fc.Arbitrary<unknown>) => mostly(usual, anyValue);
const flag = field(fc.boolean());

/** Optional fields with valid, almost valid or invalid values. */
const fields = fc.record(
  {
    question: field(fc.string({ minLength: 1, maxLength: 40 })),
    session_id: field(fc.constantFrom('one', 'two', 'three')),
    new_conversation: flag,
    stream: flag,
    other: anyValue,
  },
  { requiredKeys: [] },
);
const message = fc.record(
  {
    role: field(fc.constantFrom('system', 'user', 'assistant')),
    content: field(fc.string()),
    name: anyValue,
  },
  { requiredKeys: ['role'] },
);
/** The same for the OpenAI API. */
const chatFields = fc.record(
  {
    model: field(fc.constantFrom('default', 'gpt-4o')),
    messages: field(fc.array(message, { maxLength: 3 })),
    stream: flag,
    temperature: field(fc.constantFrom(0, 1)),
    max_tokens: field(fc.constantFrom(1, 50)),
    stop: field(fc.constantFrom('x', ['x'])),
    response_format: field(fc.constant({ type: 'json_object' })),
    metadata: field(fc.constant({ session_id: 'one' })),
    other: anyValue,
  },
  { requiredKeys: ['model', 'messages'] },
);
const responseFields = fc.record(
  {
    model: field(fc.constantFrom('default', 'gpt-4o')),
    input: field(fc.oneof(fc.string(), fc.array(message, { maxLength: 3 }))),
    stream: flag,
    store: flag,
    conversation: field(fc.constantFrom('one', 'two')),
    previous_response_id: field(fc.constantFrom('resp_1', null)),
    instructions: field(fc.string()),
    text: field(fc.constant({ format: { type: 'json_object' } })),
    other: anyValue,
  },
  { requiredKeys: ['model', 'input'] },
);
const body = fc.oneof(
  { weight: 8, arbitrary: fields.map((value) => JSON.stringify(value)) },
  { weight: 4, arbitrary: chatFields.map((value) => JSON.stringify(value)) },
  { weight: 4, arbitrary: responseFields.map((value) => JSON.stringify(value)) },
  { weight: 1, arbitrary: fc.json() },
  { weight: 1, arbitrary: anyText },
  {
    weight: 1,
    arbitrary: fc.constantFrom('{"question": "\\ud800"}', '{"question": "q", "question": 1}', '['),
  },
);

/** Characters that a header can contain; fetch refuses others. */
const headerText = fc.stringMatching(/^[\x21-\x7e][\x20-\x7e]{0,300}[\x21-\x7e]$/);
const headers = fc.record(
  {
    'Content-Type': mostly(
      fc.constant('application/json'),
      fc.constantFrom('text/plain', 'application/json; charset=utf-8', 'application/jsonp', 'x'),
    ),
    'Cache-Control': mostly(
      fc.constantFrom('no-cache', 'no-store', 'max-age=0', 'max-age=60, no-cache', 'only-if-cached'),
      headerText,
    ),
    'Idempotency-Key': mostly(fc.constantFrom('a', 'b'), headerText),
    Accept: mostly(fc.constantFrom('*/*', 'text/event-stream'), headerText),
    'x-ms-client-principal': mostly(
      fc.constant(Buffer.from('{"userId":"u","identityProvider":"aad","claims":[]}').toString('base64')),
      headerText,
    ),
    traceparent: mostly(fc.constant(`00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`), headerText),
    'X-Cache': headerText,
  },
  { requiredKeys: ['Content-Type'] },
);
const query = mostly(
  fc.constant(''),
  fc
    .tuple(fc.constantFrom('before', 'code', 'x'), anyText)
    .map(([name, value]) => `?${name}=${encodeURIComponent(value.toWellFormed())}`),
);
const session = mostly(
  fc.constantFrom('one', 'two', '%', '%ff', 'a%2Fb', 'a/b', '%00', 'x'.repeat(300)),
  anyText.map((text) => encodeURIComponent(text.toWellFormed())),
).map((id) => `/sessions/${id}`);
const path = fc.oneof(
  { weight: 6, arbitrary: fc.constant('/ask') },
  { weight: 3, arbitrary: session },
  { weight: 3, arbitrary: fc.constantFrom('/v1/chat/completions', '/v1/responses') },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      '/',
      '/assets/x.js',
      '/sessions',
      '/v1/models',
      '/v1/models/gpt-4o',
      '/v1/models/x',
      '/cache',
      '/health',
      '/health/ready',
      '/openapi.json',
    ),
  },
);
const request: fc.Arbitrary<Request> = fc
  .record({
    method: mostly(fc.constant('POST'), fc.constantFrom('GET', 'PUT', 'PATCH', 'DELETE', 'HEAD', 'OPTIONS')),
    at: path,
    query,
    headers,
    body,
    isKeyed: mostly(fc.constant(true), fc.constant(false)),
  })
  .map(({ method, at, query: search, headers: sent, body: text, isKeyed }) => {
    // Most paths support only GET.
    const usual = ['/ask', '/v1/chat/completions', '/v1/responses'].includes(at)
      ? method
      : method === 'POST'
        ? 'GET'
        : method;
    const key = isKeyed && { 'x-functions-key': app.host.masterKey };
    const hasBody = !['GET', 'HEAD'].includes(usual);
    return { method: usual, path: at + search, headers: { ...sent, ...key }, body: hasBody ? text : null };
  });

async function send({ path: at, ...init }: Request): Promise<void> {
  // contract.ts validates the response.
  const response = await fetch(app.url + at, { ...init, signal: AbortSignal.timeout(10_000) });
  const text = await response.text();
  // 504 not_cached is the documented answer to only-if-cached.
  if (response.status >= 500) expect(text).toContain('"code":"not_cached"');
  if (response.status >= 400) expect(text).not.toMatch(/node_modules|\bat .*\.js/);
  if (response.headers.get('content-type')?.startsWith('text/event-stream'))
    expect(text).not.toContain('event: error');
}

it('describes the responses to many random requests; none fails or hangs', { timeout: 180_000 }, async () => {
  const before = checked.answers;
  const many = fc.array(request, { minLength: 1, maxLength: REQUESTS_AT_ONCE, size: 'max' });
  await fc.assert(
    fc.asyncProperty(many, async (requests) => {
      await Promise.all(requests.map(send));
    }),
    { numRuns: scaled(150, 25) },
  );
  expect(checked.answers - before).toBeGreaterThan(scaled(1200, 50));
});
