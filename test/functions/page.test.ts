/** GET / and GET /assets/{name} at the level of HTTP. */
import { createHash } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { type IncomingMessage, request } from 'node:http';
import { buffer } from 'node:stream/consumers';
import { join } from 'node:path';
import { brotliDecompressSync, gunzipSync } from 'node:zlib';
import { expect, it } from 'vitest';
import { root } from '../../dev/stack/root.ts';
import type { ErrorBody } from '../../src/lib/contract/responses.ts';
import { startApp } from '../support/app.ts';
import { useApp } from '../support/fixture.ts';

// The page needs no key. It asks the user for the key that questions need.
const app = useApp({ enableAuth: true });

/** A late part of the page that was built. */
const asset = readdirSync(join(root, 'dist/page/assets')).find((name) => name.endsWith('.js')) ?? '';

/** What is really transferred: `fetch` decompresses it, and always accepts compression. */
async function transfer(path: string, acceptEncoding?: string) {
  const headers = acceptEncoding === undefined ? {} : { 'Accept-Encoding': acceptEncoding };
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    request(app.url + path, { headers }, resolve)
      .on('error', reject)
      .end();
  });
  return { headers: response.headers, status: response.statusCode, bytes: await buffer(response) };
}

it('serves the page with a policy that allows only its own scripts and styles', async () => {
  const response = await fetch(app.url);
  expect(response.status).toBe(200);
  expect(Object.fromEntries(response.headers)).toMatchObject({
    'content-type': 'text/html; charset=utf-8',
    'cache-control': 'no-cache',
    'x-content-type-options': 'nosniff',
    'referrer-policy': 'no-referrer',
    vary: 'Accept-Encoding',
  });
  const html = await response.text();
  const policy = response.headers.get('content-security-policy') ?? '';
  expect(policy).toContain("default-src 'none'; connect-src 'self';");
  expect(policy).not.toContain('unsafe');
  for (const [tag, directive] of [
    ['style', 'style-src'],
    ['script', 'script-src'],
  ] as const) {
    const texts = [...html.matchAll(new RegExp(`<${tag}[^>]*>(.*?)</${tag}>`, 'gs'))].map(
      ([, text = '']) => text,
    );
    const hashes = texts.map((text) => `'sha256-${createHash('sha256').update(text).digest('base64')}'`);
    expect(hashes.length).toBeGreaterThan(0);
    // Beside it only the late parts, from the app itself.
    const own = tag === 'script' ? " 'self'" : '';
    expect(policy).toContain(`${directive} ${hashes.join(' ')}${own};`);
  }
  // Everything that the first view needs is in one file.
  expect(html).not.toMatch(/\bimport\s*["{*]|\bfrom\s*"|\ssrc="|<link rel="stylesheet"/);
});

it.each(['/', `/assets/${asset}`])(
  'compresses %s as the client prefers, and the content is the same',
  async (path) => {
    const plain = await transfer(path);
    const br = await transfer(path, 'gzip, br');
    const gzip = await transfer(path, 'gzip, br;q=0.5');
    const excluded = await transfer(path, 'identity');
    expect([plain, br, gzip, excluded].map(({ headers }) => headers['content-encoding'])).toEqual([
      undefined,
      'br',
      'gzip',
      undefined,
    ]);
    expect(brotliDecompressSync(br.bytes)).toEqual(plain.bytes);
    expect(gunzipSync(gzip.bytes)).toEqual(plain.bytes);
    expect(new Set([plain, br, gzip, excluded].map(({ headers }) => headers.etag)).size).toBe(3);
    for (const { headers } of [plain, br, gzip]) expect(headers.vary).toBe('Accept-Encoding');
  },
);

it('answers 406 when the client excludes each coding', async () => {
  const { status, bytes } = await transfer('/', 'zstd, *;q=0');
  expect(status).toBe(406);
  expect((JSON.parse(bytes.toString()) as ErrorBody).error.code).toBe('not_acceptable');
});

it.each(['/', `/assets/${asset}`])('answers 304 when %s has not changed', async (path) => {
  const etag = (await fetch(app.url + path)).headers.get('etag') ?? '';
  expect(etag).toMatch(/^"[^"]+"$/);
  for (const known of [etag, `"other", W/${etag}`, '*']) {
    const response = await fetch(app.url + path, { headers: { 'If-None-Match': known } });
    expect([response.status, await response.text()]).toEqual([304, '']);
    expect(response.headers.get('etag')).toBe(etag);
    expect(response.headers.get('vary')).toBe('Accept-Encoding');
  }
  expect((await fetch(app.url + path, { headers: { 'If-None-Match': '"other"' } })).status).toBe(200);
});

it.each(['/', `/assets/${asset}`])(
  'answers HEAD %s without a body, and other methods with 405',
  async (path) => {
    const head = await fetch(app.url + path, { method: 'HEAD' });
    expect([head.status, await head.text()]).toEqual([200, '']);
    const posted = await fetch(app.url + path, { method: 'POST', body: 'x' });
    expect(posted.status).toBe(405);
    expect(posted.headers.get('allow')).toBe('GET, HEAD');
  },
);

it('serves a late part without a key, for browsers to keep', async () => {
  const response = await fetch(`${app.url}/assets/${asset}`);
  expect(response.status).toBe(200);
  expect(Object.fromEntries(response.headers)).toMatchObject({
    'content-type': 'text/javascript; charset=utf-8',
    'cache-control': 'public, max-age=31536000, immutable',
    'x-content-type-options': 'nosniff',
  });
});

it.each(['unknown.js', `${asset}.br`, '..%2Fpage.json', '%2e%2e%2findex.html', '..%5Cpage.json', '%00'])(
  'answers 404 for an asset that was not built: %s',
  async (name) => {
    const response = await fetch(`${app.url}/assets/${name}`);
    expect(response.status).toBe(404);
    expect(((await response.json()) as ErrorBody).error.code).toBe('asset_not_found');
    expect(response.headers.get('cache-control')).toBe('no-store');
  },
);

it('serves no other files', async () => {
  for (const path of ['/index.html', '/main.ts', '/page.json', '/assets', '/x'])
    expect((await fetch(app.url + path)).status).toBe(404);
});

it('transfers at most 60 KB for the first view', async () => {
  expect((await transfer('/', 'br')).bytes.length).toBeLessThan(60_000);
});

const timing = async (url: string, headers: Record<string, string>): Promise<string | null> =>
  (await fetch(url, { headers })).headers.get('server-timing');

it.each([
  ['the platform', { WEBSITE_AUTH_ENABLED: 'True' }],
  ['the template', { TRUST_USER_HEADERS: 'true' }],
  ['both', { WEBSITE_AUTH_ENABLED: 'True', TRUST_USER_HEADERS: 'true' }],
])('tells the page whether a user is signed in, where the headers are trusted by %s', async (_, env) => {
  const user = { 'x-ms-client-principal-id': 'ada', 'x-ms-client-principal-idp': 'aad' };
  const trusting = await startApp({ env });
  try {
    expect(await timing(trusting.url, user)).toBe('signed-in');
    expect(await timing(trusting.url, {})).toBeNull();
    // Anybody can send these headers.
    expect(await timing(app.url, user)).toBeNull();
  } finally {
    await trusting.stop();
  }
});
