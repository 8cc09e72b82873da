/** GET /, the chat page, and GET /assets/{name}, its parts that are loaded late. */
import type { HttpResponseInit } from '@azure/functions';
import { errors } from '../contract/errors.ts';
import { fileResponse, readManifest } from './page-files.ts';
import type { RawRequest } from './raw-request.ts';
import { hasUser } from './signed-in-user.ts';

/**
 * Responds with the page, or with 304 when the browser's copy is current. `Server-Timing`, the only header of its own
 * response that a page can read, tells it whether a user is signed in.
 */
export function handlePage(request: RawRequest, trustsUserHeaders: boolean): HttpResponseInit {
  return fileResponse('index.html', request, {
    ...(trustsUserHeaders && hasUser(request) && { 'Server-Timing': 'signed-in' }),
    'Content-Type': 'text/html; charset=utf-8',
    'Cache-Control': 'no-cache',
    'Content-Security-Policy': contentSecurityPolicy(),
    'Referrer-Policy': 'no-referrer',
  });
}

/**
 * Responds with a part of the page. Its name contains a hash of its content, so browsers may keep it for a year.
 * @throws AskError `asset_not_found` unless the name is one of those that were built.
 */
export function handleAsset(request: RawRequest): HttpResponseInit {
  const name = readManifest().assets.find((each) => request.path.endsWith(`/${each}`));
  if (name === undefined) throw errors.assetNotFound();
  return fileResponse(`assets/${name}`, request, {
    'Content-Type': 'text/javascript; charset=utf-8',
    'Cache-Control': 'public, max-age=31536000, immutable',
  });
}

/**
 * Allows the inlined style and script by hash, and scripts of this origin, which are the late parts. Trusted Types forbid
 * turning strings into markup or scripts, and no policy that would allow it can be created.
 */
function contentSecurityPolicy(): string {
  const { scripts, styles } = readManifest();
  return [
    "default-src 'none'",
    "connect-src 'self'",
    `script-src ${hashes(scripts)} 'self'`,
    `style-src ${hashes(styles)}`,
    'img-src data:',
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
    "trusted-types 'none'",
  ].join('; ');
}

const hashes = (all: string[]): string => all.map((hash) => `'sha256-${hash}'`).join(' ');
