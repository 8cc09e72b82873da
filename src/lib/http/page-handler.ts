/** GET /, the chat page, and GET /assets/{name}, its parts that are loaded late. */
import type { UsersConfig } from '../config/config.ts';
import type { Reply } from './response.ts';
import { errors } from '../contract/errors.ts';
import type { RawRequest } from './raw-request.ts';
import { hasUser } from './signed-in-user.ts';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/**
 * Responds with the page, or with 304 when the browser's copy is current. `Server-Timing`, the only header of its own
 * response that a page can read, tells it whether a user is signed in, or that callers have keys.
 */
export function handlePage(request: RawRequest, usersBy: UsersConfig['by']): Reply {
  return fileResponse('index.html', request, {
    ...(usersBy === 'sign-in' && hasUser(request) && { 'Server-Timing': 'signed-in' }),
    ...(usersBy === 'keys' && { 'Server-Timing': 'caller-keys' }),
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
export function handleAsset(request: RawRequest): Reply {
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

/** What dist/page/page.json contains. */
export interface PageManifest {
  /** Hashes of the inlined scripts and styles, for the Content-Security-Policy. */
  scripts: string[];
  styles: string[];
  /** Names of the files in dist/page/assets/. */
  assets: string[];
}

interface StoredFile {
  bytes: Uint8Array;
  etag: string;
}

// Relative to the bundle, in which this module is in dist/chunks/.
const FOLDER = new URL('../page/', import.meta.url);
const ENDINGS: Record<Encoding, string> = { br: '.br', gzip: '.gz', identity: '' };

/** Each file is read once. */
const files = new Map<string, StoredFile>();
let manifest: PageManifest | undefined;

/** The list of the page's files and hashes. */
function readManifest(): PageManifest {
  manifest ??= JSON.parse(readFileSync(new URL('page.json', FOLDER), 'utf8')) as PageManifest;
  return manifest;
}

/**
 * Responds with a file of the page in a coding that the client accepts, or with 304 when the client's copy is current.
 * `path` must come from the manifest, never from the request.
 * @throws AskError `not_acceptable` when the client accepts none of the codings.
 */
function fileResponse(path: string, request: RawRequest, ownHeaders: Record<string, string>): Reply {
  const encoding = chooseEncoding(request.header('accept-encoding'));
  if (!encoding) throw errors.notAcceptable();
  const { bytes, etag } = readFile(path, encoding);
  const headers = {
    ...ownHeaders,
    ETag: etag,
    Vary: 'Accept-Encoding',
    'X-Content-Type-Options': 'nosniff',
    ...(encoding !== 'identity' && { 'Content-Encoding': encoding }),
  };
  if (isCurrent(request.header('if-none-match'), etag)) return { status: 304, headers };
  return { status: 200, headers, ...(request.method === 'GET' && { body: bytes }) };
}

function readFile(path: string, encoding: Encoding): StoredFile {
  const name = path + ENDINGS[encoding];
  const present = files.get(name);
  if (present) return present;
  const bytes = readFileSync(fileURLToPath(new URL(name, FOLDER)));
  const file = { bytes, etag: `"${createHash('sha256').update(bytes).digest('base64url')}"` };
  files.set(name, file);
  return file;
}

function isCurrent(ifNoneMatch: string | null, etag: string): boolean {
  const tags = ifNoneMatch?.split(',').map((tag) => tag.trim().replace(/^W\//, '')) ?? [];
  return tags.includes('*') || tags.includes(etag);
}

/** The codings in which the files of the page exist; the first is preferred. `identity` means not compressed. */
export const ENCODINGS = ['br', 'gzip', 'identity'] as const;

export type Encoding = (typeof ENCODINGS)[number];

/** Not a weight that a client can send: it ranks `identity`, which is allowed unless it is excluded, behind the others. */
const UNLISTED = 0.0001;
const MEMBER = /^([!#$%&'*+.^_`|~\w-]+)(?:\s*;\s*q=(0(?:\.\d{0,3})?|1(?:\.0{0,3})?))?$/i;

/**
 * The coding that the client prefers, and of equal ones the first of {@link ENCODINGS}. Undefined when the client
 * excludes all of them. A client that sends no header may not decode any coding.
 */
export function chooseEncoding(acceptEncoding: string | null): Encoding | undefined {
  const weights = readWeights(acceptEncoding ?? '');
  const weightOf = (name: Encoding): number =>
    weights.get(name) ?? weights.get('*') ?? (name === 'identity' ? UNLISTED : 0);
  const best = Math.max(...ENCODINGS.map(weightOf));
  return best > 0 ? ENCODINGS.find((name) => weightOf(name) === best) : undefined;
}

/** The weight of each coding of the header. A member that is not valid is ignored. */
function readWeights(header: string): Map<string, number> {
  const weights = new Map<string, number>();
  for (const member of header.split(',')) {
    const [, name, weight = '1'] = MEMBER.exec(member.trim()) ?? [];
    if (name !== undefined) weights.set(name.toLowerCase().replace(/^x-gzip$/, 'gzip'), Number(weight));
  }
  return weights;
}
