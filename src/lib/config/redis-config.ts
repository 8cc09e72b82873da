/** The address of the shared Redis, and how the app signs in to it. */
import { cloudOf, type IdentityConfig } from './clouds.ts';
import type { SettingsReader } from './settings-reader.ts';

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
export function readRedisConfig(settings: SettingsReader, timeoutMs: number): RedisConfig | undefined {
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
