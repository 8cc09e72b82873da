/** The keys of cached answers: digests of everything that an answer depends on. */
import { createHash } from 'node:crypto';
import type { Config } from '../config/config.ts';
import { digest } from '../history/session-rows.ts';
import type { Message, ModelTarget } from '../model/completion.ts';

/** Part of every key: increase it when the layout of a cached answer or of the key changes. */
const FORMAT = 6;
/** What every key begins with. */
export const KEY_PREFIX = `answer:${FORMAT}:`;

/** A user, and the generation of the user's answers when the question came. */
export interface UserPartition {
  userId: string;
  generation: number;
}

/**
 * What the keys of a user's answers have after {@link KEY_PREFIX}, so that an erasure finds them; without a generation, those
 * of all generations.
 */
export const partitionName = ({
  userId,
  generation,
}: Pick<UserPartition, 'userId'> & { generation?: number }): string =>
  `${digest(userId)}:${generation === undefined ? '' : `${generation}:`}`;

/** Which questions may share a cached answer, beyond what the model receives. */
export interface CacheScope {
  /** The generation of the cache when the question arrived. */
  generation: number;
  /** The user, when users do not share cached answers; otherwise null. */
  partition: UserPartition | null;
}

/**
 * Gives the key of an answer: a digest of everything that the answer depends on. Two questions share a key only if the
 * model would receive the same request for both, and if their scope is the same.
 */
export function answerCacheKey(
  config: Config,
  { deployment, parameters }: ModelTarget,
  prompt: readonly Message[],
  { generation, partition }: CacheScope,
): string {
  const { endpoints, apiVersion, modelApi, headers } = config.model;
  const { promptCacheKey: _, ...sent } = parameters;
  // Endpoints with the same deployment give equal answers, so the endpoint that answered is no part of the key.
  const [{ url, api }] = endpoints;
  const parts = [
    config.cache.version,
    generation,
    partition?.userId ?? null,
    [modelApi, api, url, apiVersion, deployment],
    // A gateway may choose the model by its headers.
    Object.entries(headers).toSorted(([a], [b]) => (a < b ? -1 : 1)),
    Object.entries(sent).toSorted(([a], [b]) => (a < b ? -1 : 1)),
    prompt,
  ];
  const hash = createHash('sha256').update(JSON.stringify(parts)).digest('base64url');
  return KEY_PREFIX + (partition ? partitionName(partition) : '') + hash;
}
