/** GET /: the chat page, one file made of public/. */
import { createHash } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import type { HttpRequest, HttpResponseInit } from '@azure/functions';
import { inlinePage } from './inline-page.ts';

interface Page {
  html: string;
  headers: Record<string, string>;
}

// In the source and in the bundle (dist/chunks) alike, this file is two folders below the one that holds public/.
const FOLDER = fileURLToPath(new URL('../../public/', import.meta.url));

let page: Page | undefined;

/** Answers with the page, or with 304 to a browser that has it already. The files are read once. */
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

/** Only our own styles and scripts, by their hashes; and no string ever becomes markup (trusted types). */
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
