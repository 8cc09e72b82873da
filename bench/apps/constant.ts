/**
 * The baseline of `npm run bench`: a function with a constant answer. `DELAY_MS` simulates the latency of the model. With
 * `TOKEN_DELAY_MS` it streams 200 constant words at this distance; in place of a word stands the time at which it was sent,
 * as in an answer of the emulator.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { askFunction } from './ask-function.ts';

const TOKENS = 200;
const { DELAY_MS = '0', TOKEN_DELAY_MS } = process.env;
const CONSTANT = { answer: 'The capital of France is Paris.' };
const encoder = new TextEncoder();
const event = (name: string, data: object) =>
  encoder.encode(`event: ${name}\ndata: ${JSON.stringify(data)}\n\n`);

async function* events(): AsyncGenerator<Uint8Array> {
  for (let token = 0; token < TOKENS; token++) {
    await delay(Number(TOKEN_DELAY_MS));
    yield event('token', { text: `@${process.hrtime.bigint() / 1000n} ` });
  }
  yield event('done', CONSTANT);
}

askFunction(async () => {
  if (TOKEN_DELAY_MS !== undefined)
    return { headers: { 'content-type': 'text/event-stream' }, body: ReadableStream.from(events()) };
  if (Number(DELAY_MS) > 0) await delay(Number(DELAY_MS));
  return { jsonBody: CONSTANT };
});
