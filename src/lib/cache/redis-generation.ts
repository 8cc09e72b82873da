/** The generation in Redis, for all instances. */
import { type GenerationStore, MAX_GENERATION } from './cache-tier.ts';
import type { UseRedis } from './redis-client.ts';

/** Outside the namespace of the answers, so that clearing keeps it. */
const KEY = 'answers-generation';

/** Atomic, because instances may clear at the same time. A value that is no generation counts as 0 and is replaced. */
const RAISE = `
local reply = redis.pcall('GET', KEYS[1])
local stored = 0
if type(reply) == 'string' and string.match(reply, '^%d+$') then stored = tonumber(reply) end
if stored > ${MAX_GENERATION} then stored = 0 end
local raised = math.max(tonumber(ARGV[1]), stored + tonumber(ARGV[2]))
if raised > stored then redis.call('SET', KEYS[1], string.format('%d', raised)) end
return raised`;

/** Creates the store of the generation. `use` runs an operation on the connection. */
export function createRedisGeneration(use: UseRedis): GenerationStore {
  return {
    async read() {
      const stored = await use((client) => client.get(KEY));
      const generation = typeof stored === 'string' && /^\d+$/.test(stored) ? Number(stored) : 0;
      return generation > MAX_GENERATION ? 0 : generation;
    },
    async raise(atLeast, step) {
      const options = { keys: [KEY], arguments: [String(atLeast), String(step)] };
      return Number(await use((client) => client.eval(RAISE, options)));
    },
  };
}
