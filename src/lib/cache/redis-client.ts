/** The client of Redis, and how the parts of the Redis tier use its connection. */
import type { createClient } from '@keyv/redis';

export type RedisClient = ReturnType<typeof createClient>;

/** Runs an operation on the connection. Rejects when there is none, or when the operation fails or takes too long. */
export type UseRedis = <T>(operation: (client: RedisClient) => Promise<T>) => Promise<T>;
