/** When keep-warm probes the connection to the model, and when it stops. The tests use fake timers. */
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import {
  createHttpClient,
  createKeepWarm,
  type HttpClient,
  type KeepWarm,
} from '../../../src/lib/pool/http-client.ts';

const MINUTE_MS = 60_000;
/** The longest time between two probes. Idle connections are closed after 60 s. */
const LONGEST_MS = 35_000;

let server: Server;
let client: HttpClient;
let keepWarm: KeepWarm;
let probes: string[];
let hold: PromiseWithResolvers<void> | undefined;

beforeEach(async () => {
  probes = [];
  hold = undefined;
  server = createServer((request, response) => {
    probes.push(`${request.method} ${request.url}`);
    void Promise.resolve(hold?.promise).then(() => response.end());
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  client = createHttpClient();
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date'] });
});
afterEach(async () => {
  keepWarm.stop();
  vi.useRealTimers();
  await client.close();
  server.closeAllConnections();
  server.close();
});

const start = (keepWarmMs: number): void => {
  const { port } = server.address() as AddressInfo;
  keepWarm = createKeepWarm(client, [new URL(`http://127.0.0.1:${port}/v1/models`)], keepWarmMs);
};
const probed = (count: number): Promise<void> => vi.waitFor(() => expect(probes).toHaveLength(count));
/** Lets pending responses arrive. This needs real time, which fake timers do not advance. */
const settle = (): Promise<void> => new Promise((resolve) => setImmediate(() => setImmediate(resolve)));

it('opens the connection at once, and probes it before it would be closed as idle', async () => {
  start(5 * MINUTE_MS);
  await probed(1);
  for (let count = 2; count < 5; count++) {
    await vi.waitFor(() => expect(vi.getTimerCount()).toBeGreaterThan(0));
    await vi.advanceTimersByTimeAsync(LONGEST_MS);
    await probed(count);
  }
  expect(new Set(probes)).toEqual(new Set(['GET /v1/models']));
});

it('stops when there was no question for the set time, and resumes with the next one', async () => {
  start(MINUTE_MS);
  await probed(1);
  for (let round = 0; round < 10; round++) {
    await vi.advanceTimersByTimeAsync(LONGEST_MS);
    await settle();
  }
  const stopped = probes.length;
  expect(stopped).toBeLessThanOrEqual(3);
  await vi.advanceTimersByTimeAsync(10 * MINUTE_MS);
  expect(probes).toHaveLength(stopped);
  keepWarm.touch();
  await vi.advanceTimersByTimeAsync(LONGEST_MS);
  await probed(stopped + 1);
});

it('never sends a probe while another is in flight', async () => {
  hold = Promise.withResolvers();
  start(10 * MINUTE_MS);
  await probed(1);
  for (let round = 0; round < 5; round++) {
    keepWarm.touch();
    await vi.advanceTimersByTimeAsync(LONGEST_MS);
    await settle();
  }
  expect(probes).toHaveLength(1);
  hold.resolve();
});

it('does nothing with 0 minutes', async () => {
  start(0);
  keepWarm.touch();
  await vi.advanceTimersByTimeAsync(10 * MINUTE_MS);
  await settle();
  expect(probes).toEqual([]);
});
