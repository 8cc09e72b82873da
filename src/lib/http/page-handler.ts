/** GET /: the chat page, built from public/. */
import { createHash } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import type { HttpRequest, HttpResponseInit } from '@azure/functions';
import { inlinePage } from './inline-page.ts';

interface Page {
  html: string;
  headers: Record<string, string>;
}

// Relative to the bundle, in which this module is in dist/chunks/.
const FOLDER = fileURLToPath(new URL('../../public/', import.meta.url));

let page: Page | undefined;

/** Responds with the page, or with 304 when the browser's copy is current. The files are read once. */
export function handlePage(request: HttpRequest): HttpResponseInit {
  const { html, headers } = (page ??= loadPage());
  if (isCurrent(request.headers.get('if-none-match'), headers['ETag'])) return { status: 304, headers };
  return {
    status: 200,
    headers: { ...headers, 'Content-Type': 'text/html; charset=utf-8' },
    ...(request.method === 'GET' && { body: html }),
  };
}

function loadPage(): Page {
  const { html, styles, scripts } = inlinePage(FOLDER);
  const headers = {
    'Cache-Control': 'no-cache',
    ETag: `"${sha256(html)}"`,
    'Content-Security-Policy': contentSecurityPolicy(styles, scripts),
    'X-Content-Type-Options': 'nosniff',
    'Referrer-Policy': 'no-referrer',
  };
  return { html, headers };
}

/** Allows only the inlined styles and scripts, by hash. Trusted Types forbid turning strings into markup. */
function contentSecurityPolicy(styles: string[], scripts: string[]): string {
  return [
    "default-src 'none'",
    "connect-src 'self'",
    `script-src ${hashes(scripts)}`,
    `style-src ${hashes(styles)}`,
    'img-src data:',
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
    "trusted-types 'none'",
  ].join('; ');
}

const hashes = (texts: string[]): string => texts.map((text) => `'sha256-${sha256(text)}'`).join(' ');

const sha256 = (text: string): string => createHash('sha256').update(text).digest('base64');

function isCurrent(ifNoneMatch: string | null, etag: string | undefined): boolean {
  const tags = ifNoneMatch?.split(',').map((tag) => tag.trim().replace(/^W\//, '')) ?? [];
  return tags.includes('*') || (etag !== undefined && tags.includes(etag));
}
