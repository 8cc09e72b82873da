/** The settings of the answer cache. */
import { tmpdir } from 'node:os';
import { resolve } from 'node:path';
import { cloudOf, type IdentityConfig } from './clouds.ts';
import type { SettingsReader } from './settings-reader.ts';

/** How answers are cached. */
export interface CacheConfig {
  /** Lifetime of a cached answer; 0 turns the cache off. */
  ttlMs: number;
  /** How long after its expiry an answer is kept, for when the model fails; 0 turns this off. */
  staleIfErrorMs: number;
  /** Part of every cache key, so a new value invalidates all cached answers. */
  version: string;
  /** `user`: cached answers are never shared between signed-in users. */
  partition: 'none' | 'user';
  /** Path of the SQLite file of this instance. */
  path: string;
  /** Size limit of the SQLite file. */
  maxBytes: number;
  /** Undefined when there is no Redis. */
  redis: RedisConfig | undefined;
}

/** Larger expiry times overflow in Redis and SQLite. */
const TEN_YEARS_S = 315_360_000;
const MEGABYTE = 1024 * 1024;

/** What the settings of the cache depend on. */
export interface CacheSurroundings {
  /** The time limit for getting a token. */
  tokenTimeoutMs: number;
  /** Whether the app can tell users apart. */
  knowsUsers: boolean;
}

/** Reads the cache settings. Invalid values are added to the problems of `settings`. */
export function readCacheConfig(
  settings: SettingsReader,
  { tokenTimeoutMs, knowsUsers }: CacheSurroundings,
): CacheConfig {
  const lifetime = (name: string, defaultValue: number): number =>
    1000 * (settings.number(name, { min: 0, max: TEN_YEARS_S, integer: true }) ?? defaultValue);
  return {
    ttlMs: lifetime('ANSWER_CACHE_TTL_SECONDS', 86_400),
    staleIfErrorMs: lifetime('CACHE_STALE_IF_ERROR_SECONDS', 0),
    version: settings.text('CACHE_VERSION') ?? '1',
    partition: settings.oneOf('CACHE_PARTITION', ['none', 'user']) ?? (knowsUsers ? 'user' : 'none'),
    // Relative to the temporary folder, because the Functions worker does not guarantee a working directory.
    path: resolve(tmpdir(), settings.text('ANSWER_CACHE_PATH') ?? 'azure-functions-ask-cache.sqlite'),
    maxBytes: Math.round(
      MEGABYTE * (settings.number('ANSWER_CACHE_MAX_MB', { min: 1, max: 100_000 }) ?? 256),
    ),
    redis: readRedisConfig(settings, tokenTimeoutMs),
  };
}

/** A Redis that all instances share. */
export interface RedisConfig {
  /** The address, with the key if there is one. */
  url: string;
  /** Signs in to a Redis of Azure whose address has no key. Without it, only what is in the address is sent. */
  identity?: IdentityConfig;
}

/** Azure Managed Redis and Azure Cache for Redis, in all clouds. Tokens of the identity are sent to no other host. */
const AZURE_HOST =
  /\.redis\.(azure\.(net|us|cn)|cache\.(windows\.net|usgovcloudapi\.net|chinacloudapi\.cn))$/i;

/**
 * Reads `ANSWER_CACHE_REDIS_URL`. An invalid address is only a warning, because the app works without Redis.
 * `timeoutMs` is the time limit for getting a token.
 */
function readRedisConfig(settings: SettingsReader, timeoutMs: number): RedisConfig | undefined {
  const clientId = settings.text('AZURE_CLIENT_ID');
  const authority = settings.httpsUrl('AZURE_AUTHORITY_HOST');
  const url = settings.text('ANSWER_CACHE_REDIS_URL');
  if (url === undefined) return undefined;
  if (!isRedisUrl(url)) {
    // The value may contain a password, so the warning does not quote it.
    settings.warnings.push(
      'ANSWER_CACHE_REDIS_URL must be an address like rediss://NAME.REGION.redis.azure.net:10000 or rediss://:KEY@HOST:6380, with special characters of the key percent-encoded. The app runs without Redis.',
    );
    return undefined;
  }
  const { protocol, hostname, username, password } = new URL(url);
  // Entra ID signs in over TLS only.
  const signsIn = protocol === 'rediss:' && username + password === '' && AZURE_HOST.test(hostname);
  if (!signsIn) return { url };
  const authorityHost = authority ?? cloudOf(url).authorityHost;
  return { url, identity: { clientId, authorityHost, timeoutMs } };
}

/** Whether the Redis client accepts this address. */
function isRedisUrl(text: string): boolean {
  const url = URL.parse(text);
  if (!url || !/^rediss?:$/.test(url.protocol) || url.hostname === '') return false;
  try {
    decodeURIComponent(url.username + url.password);
  } catch {
    return false;
  }
  return /^(\/\d*)?$/.test(url.pathname);
}
