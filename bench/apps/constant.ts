/**
 * The baseline of `npm run bench`: a function with a constant answer. `DELAY_MS` simulates the latency of the model.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { askFunction } from './ask-function.ts';

const delayMs = Number(process.env['DELAY_MS'] ?? 0);

askFunction(async () => {
  if (delayMs > 0) await delay(delayMs);
  return { jsonBody: { answer: 'The capital of France is Paris.' } };
});
