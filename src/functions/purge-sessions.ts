import { loadServices, timerFunction } from '../lib/app/function-app.ts';

// Once an hour at minute 23, because many other timers run at round times.
timerFunction('purge-sessions', '0 23 * * * *', async (log) => {
  const [services, { runPurge }] = await Promise.all([loadServices(), import('../lib/history/purge.ts')]);
  await runPurge(services, log);
});
