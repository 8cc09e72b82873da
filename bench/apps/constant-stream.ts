/**
 * The baseline of slow streams: a function that streams 200 constant words, `TOKEN_DELAY_MS` apart. In place of a word
 * stands the time at which it was sent, as in an answer of the emulator.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { askFunction } from './ask-function.ts';

const TOKENS = 200;
const delayMs = Number(process.env['TOKEN_DELAY_MS']);
const encoder = new TextEncoder();
const event = (name: string, data: object) =>
  encoder.encode(`event: ${name}\ndata: ${JSON.stringify(data)}\n\n`);

async function* events(): AsyncGenerator<Uint8Array> {
  for (let token = 0; token < TOKENS; token++) {
    await delay(delayMs);
    yield event('token', { text: `@${process.hrtime.bigint() / 1000n} ` });
  }
  yield event('done', { answer: 'The capital of France is Paris.' });
}

askFunction(async () => ({
  headers: { 'content-type': 'text/event-stream' },
  body: ReadableStream.from(events()),
}));
