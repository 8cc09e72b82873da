/** The cache tier in a Redis that accepts only the identity of the app. */
import { randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import type { CachedAnswer, CacheTier } from '../../../src/lib/cache/cache-tier.ts';
import { createRedisTier } from '../../../src/lib/cache/redis-tier.ts';
import { eventually } from '../../support/app.ts';
import { IdentityRedis, useIdentity, PATIENT } from '../../support/identity-redis.ts';
import { NO_IDENTITY, type TokenEndpoint, UNAVAILABLE } from '../../support/token-endpoint.ts';

/** Tokens are renewed after half of such a life. */
const SHORT_S = 4;
const LONG_S = 200;
const answer: CachedAnswer = {
  text: 'Paris',
  endpoint: 0,
  tokens: { prompt: 3, completion: 2, cached: 0, cacheWrite: 0, reasoning: 0 },
  storedAt: Date.now(),
  expiresAt: Date.now() + 600_000,
};

/** Whether the tier can write and read. */
const works = (opened: CacheTier): Promise<boolean> =>
  opened.set('k', answer).then(
    async () => (await opened.get('k'))?.text === answer.text,
    () => false,
  );

describe('Redis that accepts only the identity of the app', { tags: ['redis', 'long'] }, () => {
  let tokens: TokenEndpoint;
  let azure: IdentityRedis;
  let tier: CacheTier | undefined;
  let warnings: string[];
  beforeAll(async () => {
    tokens = await useIdentity();
  });
  afterAll(() => void vi.unstubAllEnvs());
  beforeEach(async () => {
    azure = await IdentityRedis.start(tokens);
    warnings = [];
  });
  afterEach(async () => {
    await tier?.close();
    await azure.redis.kill();
  });

  function open(): CacheTier {
    const identity = { clientId: randomUUID(), authorityHost: 'https://login.invalid', timeoutMs: 10_000 };
    tier = createRedisTier(
      { url: azure.redis.url, identity },
      (message) => void warnings.push(message),
      PATIENT,
    );
    return tier;
  }

  it('is used with the object id as user and a token for Redis as password', async () => {
    await azure.allow(LONG_S);
    const opened = open();
    await eventually(() => works(opened));
    expect(tokens.requests.at(-1)?.query.get('resource')).toBe('https://redis.azure.com');
    expect(await azure.connections()).toHaveLength(1);
    expect(warnings).toEqual([]);
  });

  it('gets a new token on the same connection before the old one expires', async () => {
    await azure.allow(SHORT_S);
    const opened = open();
    await eventually(() => works(opened));
    const connections = await azure.connections();
    await azure.allow(LONG_S);
    await eventually(async () => (await azure.signInsAgain()) === 1);
    expect(await works(opened)).toBe(true);
    expect(await azure.connections()).toEqual(connections);
    expect(warnings).toEqual([]);
  });

  it('keeps its connection while there is no new token, and gets one later', { tags: ['long'] }, async () => {
    await azure.allow(SHORT_S);
    const opened = open();
    await eventually(() => works(opened));
    const before = tokens.requests.length;
    tokens.answer = UNAVAILABLE;
    // One attempt at a token is three requests.
    await eventually(() => tokens.requests.length > before + 3, 15_000);
    expect(await works(opened)).toBe(true);
    await azure.allow(LONG_S);
    await eventually(async () => (await azure.signInsAgain()) === 1, 15_000);
    expect(warnings).toEqual([]);
  });

  it('that refuses a new token is not used until it accepts the identity', async () => {
    await azure.allow(SHORT_S);
    const opened = open();
    await eventually(() => works(opened));
    const refused = azure.issue(LONG_S);
    await eventually(() => warnings.length === 1);
    expect(warnings[0]).toContain(`refuses the identity of the app (object id ${azure.objectId})`);
    expect(warnings[0]).toContain('access policy');
    await expect(opened.get('k')).rejects.toThrow('not connected');
    await azure.allow(LONG_S);
    await eventually(() => works(opened), 10_000);
    expect(warnings).toHaveLength(2);
    expect(warnings.join()).not.toContain(refused);
  });

  it('whose access is taken away and given back is used again', async () => {
    await azure.allow(LONG_S);
    const opened = open();
    await eventually(() => works(opened));
    await azure.revoke();
    await eventually(() => warnings.length === 1);
    await expect(opened.get('k')).rejects.toThrow();
    await azure.allow(LONG_S);
    await eventually(() => works(opened), 10_000);
    expect(warnings).toHaveLength(2);
  });

  it('is skipped at once while the app has no identity', async () => {
    tokens.answer = NO_IDENTITY;
    const opened = open();
    await eventually(() => warnings.length === 1);
    expect(warnings[0]).toContain('gets no token (identity_refused). Check AZURE_CLIENT_ID');
    await expect(opened.get('k')).rejects.toThrow('not connected');
    await azure.allow(LONG_S);
    await eventually(() => works(opened), 10_000);
  });
});
