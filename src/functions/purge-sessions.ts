import { loadServices, timerFunction } from '../lib/app/function-app.ts';

// Once an hour, at no round minute, when many others run too.
timerFunction('purge-sessions', '0 23 * * * *', async (log) => {
  const [services, { runPurge }] = await Promise.all([loadServices(), import('../lib/history/purge.ts')]);
  await runPurge(services, log);
});
