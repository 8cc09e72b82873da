/** GET / at the level of HTTP. */
import { createHash } from 'node:crypto';
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { root } from '../../dev/stack/root.ts';
import { startApp, type TestApp } from '../support/app.ts';

let app: TestApp;
beforeAll(async () => {
  // The page needs no key. It asks the user for the key that questions need.
  app = await startApp({ enableAuth: true });
});
afterAll(() => app.stop());

it('serves the page with a policy that allows only its own scripts and styles', async () => {
  const response = await fetch(app.url);
  expect(response.status).toBe(200);
  expect(Object.fromEntries(response.headers)).toMatchObject({
    'content-type': 'text/html; charset=utf-8',
    'cache-control': 'no-cache',
    'x-content-type-options': 'nosniff',
    'referrer-policy': 'no-referrer',
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
    expect(policy).toContain(`${directive} ${hashes.join(' ')};`);
  }
  // Everything is in one file.
  expect(html).not.toMatch(/^import |\ssrc="|<link rel="stylesheet"/m);
});

it('answers 304 when the page has not changed', async () => {
  const etag = (await fetch(app.url)).headers.get('etag') ?? '';
  expect(etag).toMatch(/^"[^"]+"$/);
  for (const known of [etag, `"other", W/${etag}`, '*']) {
    const response = await fetch(app.url, { headers: { 'If-None-Match': known } });
    expect([response.status, await response.text()]).toEqual([304, '']);
    expect(response.headers.get('etag')).toBe(etag);
  }
  expect((await fetch(app.url, { headers: { 'If-None-Match': '"other"' } })).status).toBe(200);
});

it('answers HEAD without a body, and other methods with 405', async () => {
  const head = await fetch(app.url, { method: 'HEAD' });
  expect([head.status, await head.text()]).toEqual([200, '']);
  const posted = await fetch(app.url, { method: 'POST', body: 'x' });
  expect(posted.status).toBe(405);
  expect(posted.headers.get('allow')).toBe('GET, HEAD');
});

it('serves no other files', async () => {
  for (const path of ['/index.html', '/chat.js', '/x'])
    expect((await fetch(app.url + path)).status).toBe(404);
});

it('has less than 60 KB in total', () => {
  const files = readdirSync(join(root, 'public')).filter((name) => name !== 'tsconfig.json');
  const bytes = files.map((name) => statSync(join(root, 'public', name)).size);
  expect(bytes.reduce((sum, size) => sum + size, 0)).toBeLessThan(60_000);
});
