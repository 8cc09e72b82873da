/** One of several processes that share a cache file: writes answers, reads them back and reports the missing ones. */
import { createSqliteTier } from '../../src/lib/cache/sqlite-tier.ts';

const [path = '', name = '', count = '0'] = process.argv.slice(2);
const tier = createSqliteTier(path, 16 * 1024 * 1024, console.error);
const indexes = Array.from({ length: Number(count) }, (_, index) => index);
let missed = 0;
// The tier itself does not keep the process alive.
const alive = setInterval(() => {}, 1000);
for (const index of indexes) {
  const storedAt = Date.now();
  const answer = {
    text: name,
    endpoint: 0,
    tokens: { prompt: 1, completion: 1, cached: 0, cacheWrite: 0, reasoning: 0 },
    storedAt,
    expiresAt: storedAt + 60_000,
  };
  await tier.set(`${name}${index}`, answer).catch(() => missed++);
}
for (const index of indexes) if (!(await tier.get(`${name}${index}`).catch(() => null))) missed++;
await tier.close();
clearInterval(alive);
process.send?.(missed);
process.disconnect?.();
