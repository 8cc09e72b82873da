/** The settings of the answer cache. */
import { tmpdir } from 'node:os';
import { resolve } from 'node:path';
import { readRedisConfig, type RedisConfig } from './redis-config.ts';
import type { SettingsReader } from './settings-reader.ts';

/** How answers are cached. */
export interface CacheConfig {
  /** Lifetime of a cached answer; 0 turns the cache off. */
  ttlMs: number;
  /** Part of every cache key, so a new value invalidates all cached answers. */
  version: string;
  /** `user`: cached answers are never shared between signed-in users. */
  partition: 'none' | 'user';
  /** Size limit of the memory tier. */
  memoryBytes: number;
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

/**
 * Reads the cache settings. Invalid values are added to the problems of `settings`. `tokenTimeoutMs` is the time limit
 * for getting a token.
 */
export function readCacheConfig(settings: SettingsReader, tokenTimeoutMs: number): CacheConfig {
  const megabytes = (name: string, defaultValue: number): number =>
    Math.round(MEGABYTE * (settings.number(name, { min: 1, max: 100_000 }) ?? defaultValue));
  const ttlRule = { min: 0, max: TEN_YEARS_S, integer: true };
  return {
    ttlMs: 1000 * (settings.number('ANSWER_CACHE_TTL_SECONDS', ttlRule) ?? 86_400),
    version: settings.text('CACHE_VERSION') ?? '1',
    partition: settings.oneOf('CACHE_PARTITION', ['none', 'user']) ?? 'none',
    memoryBytes: megabytes('ANSWER_CACHE_MEMORY_MB', 32),
    // Relative to the temporary folder, because the Functions worker does not guarantee a working directory.
    path: resolve(tmpdir(), settings.text('ANSWER_CACHE_PATH') ?? 'azure-functions-ask-cache.sqlite'),
    maxBytes: megabytes('ANSWER_CACHE_MAX_MB', 256),
    redis: readRedisConfig(settings, tokenTimeoutMs),
  };
}
