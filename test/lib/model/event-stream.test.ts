/** The reader of the model's streams, over real connections, with network chunks that end anywhere. */
import { once } from 'node:events';
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setImmediate as nextTurn } from 'node:timers/promises';
import * as fc from 'fast-check';
import { Agent, request } from 'undici';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { readEvents, StreamFailedError } from '../../../src/lib/model/api-client.ts';
import { scaled } from '../../support/effort.ts';

let server: Server;
/** What the server sends: each chunk is a write of its own. */
let chunks: Uint8Array[] = [];
let dispatcher: Agent;

beforeAll(async () => {
  dispatcher = new Agent({ connections: 1 });
  server = createServer((_, response) => void send(response));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
});
afterAll(async () => {
  await dispatcher.destroy();
  server.closeAllConnections();
  server.close();
});

async function send(response: ServerResponse): Promise<void> {
  for (const chunk of chunks) {
    response.write(chunk);
    await nextTurn();
  }
  response.end();
}

/** Sends `text` in chunks that end at `cuts`, shares of its length. Gives the events that were read, and the error. */
async function read(text: string, cuts: number[] = []): Promise<{ events: unknown[]; error: unknown }> {
  const bytes = Buffer.from(text);
  const ends = [...cuts.map((cut) => Math.floor(cut * bytes.length)), bytes.length].toSorted((a, b) => a - b);
  chunks = ends
    .map((end, index) => bytes.subarray(ends[index - 1] ?? 0, end))
    .filter(({ length }) => length > 0);
  const { port } = server.address() as AddressInfo;
  const { body } = await request(`http://127.0.0.1:${port}`, { dispatcher });
  const events: unknown[] = [];
  try {
    for await (const batch of readEvents(body)) for (const event of batch) events.push(event);
  } catch (error) {
    return { events, error };
  }
  return { events, error: null };
}

const sse = (...data: unknown[]): string =>
  data.map((each) => `data: ${typeof each === 'string' ? each : JSON.stringify(each)}\n\n`).join('');

it('gives the same events wherever the network chunks end', async () => {
  const cuts = fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 8 });
  const texts = fc.array(fc.string({ unit: 'binary' }), { maxLength: 8 });
  const property = fc.asyncProperty(texts, cuts, async (all, ends) => {
    const sent = all.map((text) => ({ choices: [{ delta: { content: text } }] }));
    const { events, error } = await read(`: a comment\n\n${sse(...sent, '[DONE]')}`, ends);
    expect(error).toBeNull();
    expect(events).toEqual(sent);
  });
  await fc.assert(property, { numRuns: scaled(200, 30) });
});

it('ignores what follows the last event', async () => {
  expect(await read(sse({ id: 1 }, '[DONE]', 'no JSON'))).toEqual({ events: [{ id: 1 }], error: null });
});

it('gives the events before an invalid one', async () => {
  const { events, error } = await read(sse({ id: 1 }, '{"id":'));
  expect(events).toEqual([{ id: 1 }]);
  expect(error).toBeInstanceOf(SyntaxError);
});

it('ends with the error that the service reports', async () => {
  const { events, error } = await read(
    sse({ id: 1 }, { error: { code: 'server_error', message: 'm' } }, { id: 2 }),
  );
  expect(events).toEqual([{ id: 1 }]);
  expect(error).toBeInstanceOf(StreamFailedError);
  expect(error).toMatchObject({ code: 'server_error' });
});
