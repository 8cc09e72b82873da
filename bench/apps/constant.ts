/**
 * The baseline of `npm run bench`: a function with a constant answer. `DELAY_MS` simulates the latency of the model.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { app } from '@azure/functions';

const delayMs = Number(process.env['DELAY_MS'] ?? 0);

app.setup({ enableHttpStream: true });
app.http('ask', {
  route: 'ask',
  methods: ['POST'],
  authLevel: 'anonymous',
  async handler() {
    if (delayMs > 0) await delay(delayMs);
    return { jsonBody: { answer: 'The capital of France is Paris.' } };
  },
});
