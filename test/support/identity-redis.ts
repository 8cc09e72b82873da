/** A real Redis that accepts only tokens of an identity, as Azure Managed Redis does with its access keys turned off. */
import { randomUUID } from 'node:crypto';
import type { Environment } from '../../src/lib/config/config.ts';
import { type Redis, startRedis } from '../../dev/stack/redis.ts';
import { vi } from 'vitest';
import { TokenEndpoint } from './token-endpoint.ts';

/** Limits of a cache tier whose Redis may be slow, as on a busy machine. */
export const PATIENT = { answerMs: 10_000, takeMs: 10_000 };

const encoded = (part: object): string => Buffer.from(JSON.stringify(part)).toString('base64url');

/** A token with the claims of learn.microsoft.com/entra/identity-platform/access-token-claims-reference. */
const newToken = (objectId: string): string =>
  [encoded({ typ: 'JWT', alg: 'RS256' }), encoded({ oid: objectId, jti: randomUUID() }), 'signature'].join(
    '.',
  );

const endpoint = new TokenEndpoint('none');
let settings: Environment | undefined;

/**
 * Makes this process an app with an identity until `vi.unstubAllEnvs()`. Returns the token endpoint, one for all test files
 * of the process: the library keeps the address of the first one.
 */
export async function useIdentity(): Promise<TokenEndpoint> {
  settings ??= await endpoint.start();
  for (const [name, value] of Object.entries(settings)) vi.stubEnv(name, value);
  return endpoint;
}

/** The Redis, and the identity that may be let in. */
export class IdentityRedis {
  readonly objectId = randomUUID();
  readonly redis: Redis;
  readonly tokens: TokenEndpoint;

  private constructor(redis: Redis, tokens: TokenEndpoint) {
    this.redis = redis;
    this.tokens = tokens;
  }

  /** Starts a Redis without access for the identity. Tokens come from `tokens`. */
  static async start(tokens: TokenEndpoint, args: string[] = []): Promise<IdentityRedis> {
    const redis = await startRedis(undefined, args);
    // Whoever does not sign in can only use the commands that tests need.
    await redis.command(
      'ACL',
      'SETUSER',
      'default',
      '-@all',
      '+acl',
      '+client',
      '+hello',
      '+info',
      '+flushall',
    );
    return new IdentityRedis(redis, tokens);
  }

  /** Lets the identity in, with a new token of the endpoint only. */
  async allow(lifetimeSeconds: number): Promise<string> {
    const token = this.issue(lifetimeSeconds);
    await this.redis.command(
      'ACL',
      'SETUSER',
      this.objectId,
      'reset',
      'on',
      `>${token}`,
      '~*',
      '&*',
      '+@all',
    );
    return token;
  }

  /** Makes the endpoint return a new token, which Redis does not accept yet. */
  issue(lifetimeSeconds: number): string {
    const token = newToken(this.objectId);
    Object.assign(this.tokens, { token, lifetimeSeconds, answer: 'token' });
    return token;
  }

  /** Takes the access away. Redis closes the connections of the identity. */
  async revoke(): Promise<void> {
    await this.redis.command('ACL', 'DELUSER', this.objectId);
  }

  /** Ids of the connections of the identity. */
  async connections(): Promise<string[]> {
    const list = await this.redis.command('CLIENT', 'LIST');
    return list
      .split('\n')
      .filter((line) => line.includes(`user=${this.objectId}`))
      .map((line) => /id=(\d+)/.exec(line)?.[1] ?? '');
  }

  /** How often a standing connection was signed in again. */
  async signInsAgain(): Promise<number> {
    const stats = await this.redis.command('INFO', 'commandstats');
    return Number(/cmdstat_auth:calls=(\d+)/.exec(stats)?.[1] ?? 0);
  }
}
