/** The connection pool under load and faults. Its records are compared with the emulator's log. */
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Emulator, startEmulator } from '../../../dev/azure-openai-emulator/emulator.ts';
import { startTcpProxy, type TcpProxy } from '../../../dev/stack/tcp-proxy.ts';
import type { HttpClientOptions } from '../../../src/lib/pool/http-client.ts';
import { sampled, scaled } from '../../support/effort.ts';
import { type ModelProcess, startModelProcess, wrongRecords } from '../../../dev/stack/model-process.ts';

const PROTOCOLS = [
  ['h2', 'h2'],
  ['http/1.1', 'h1'],
] as const;

describe.each(sampled(PROTOCOLS))('over %s', (alpn, protocol) => {
  let emulator: Emulator;
  let proxy: TcpProxy | undefined;
  let model: ModelProcess;
  const start = async (options?: HttpClientOptions, latencyMs = 20): Promise<void> => {
    emulator = await startEmulator({ protocols: [alpn], latencyMs });
    model = startModelProcess(emulator, options);
  };
  beforeEach(() => (proxy = undefined));
  afterEach(async () => {
    await model.stop();
    await proxy?.close();
    await emulator.close();
  });

  it('requests of a cold burst reuse no connection, and later ones on an older connection do', async () => {
    await start();
    const { records: cold } = await model.run({ name: 'cold', count: 40 });
    const { records: warm, openConnections } = await model.run({ name: 'warm', count: 40 });
    expect(cold.every((record) => !record.reused)).toBe(true);
    // Over HTTP/1.1 some connections of the first burst served two requests, so the second opens more.
    const old = new Set(cold.map((record) => record.id));
    expect(warm.map((record) => record.reused)).toEqual(warm.map((record) => old.has(record.id)));
    if (protocol === 'h2') expect(warm.every((record) => record.reused)).toBe(true);
    expect(new Set([...cold, ...warm].map((record) => record.protocol))).toEqual(new Set([protocol]));
    expect(openConnections).toBe(emulator.sockets.length);
    if (protocol === 'h2') expect(openConnections).toBe(1);
  });

  it('records the right connection for each of many concurrent calls', { tags: ['long'] }, async () => {
    await start();
    const { records, failures } = await model.run({ name: 'many', count: scaled(1000, 200) });
    expect(failures).toEqual([]);
    expect(wrongRecords(emulator, 'many', records)).toEqual([]);
  });

  it(
    'uses at most two connections over HTTP/2, and 64 over HTTP/1.1, for 200 concurrent calls',
    { tags: ['long'] },
    async () => {
      await start();
      const { failures } = await model.run({ name: 'burst', count: 200 });
      expect(failures).toEqual([]);
      expect(emulator.sockets.length).toBeLessThanOrEqual(protocol === 'h2' ? 2 : 64);
    },
  );

  it('records the retries after resets, refused streams and GOAWAY', async () => {
    await start();
    await model.run({ name: 'before', count: 1 });
    emulator.failNext({ kind: 'goaway' }, { kind: 'reset' }, { kind: 'refuse' }, { kind: 'goaway' });
    const { records, failures } = await model.run({ name: 'faulty', count: 30 });
    expect(failures).toEqual([]);
    expect(wrongRecords(emulator, 'faulty', records)).toEqual([]);
    expect(records.filter((record) => record.attempts > 1).length).toBeGreaterThanOrEqual(4);
    const { records: after } = await model.run({ name: 'after', count: 5 });
    expect(wrongRecords(emulator, 'after', after)).toEqual([]);
  });

  it('resumes the TLS session on a new connection, and records it', { tags: ['long'] }, async () => {
    await start({ maxIdleMs: 300 });
    const { records: first } = await model.run({ name: 'first', count: 1 });
    await delay(400);
    const { records: second } = await model.run({ name: 'second', count: 1 });
    expect(first).toMatchObject([{ id: 1, tlsResumed: false }]);
    expect(second).toMatchObject([{ id: 2, reused: false, tlsResumed: true }]);
    expect(emulator.sockets.map((socket) => socket.resumed)).toEqual([false, true]);
  });

  it('replaces a connection on which a probe gets no response', { tags: ['long'] }, async () => {
    await start(undefined, 0);
    const upstream = new URL(emulator.url);
    proxy = await startTcpProxy(Number(upstream.port));
    upstream.port = String(proxy.port);
    await model.stop();
    model = startModelProcess(emulator, {}, upstream.href);
    expect(await model.run({ name: 'a', count: 1 })).toMatchObject({ records: [{ id: 1 }], failures: [] });
    proxy.silence();
    await model.run({ name: 'probe', count: 0, how: 'warm' });
    expect(await model.run({ name: 'b', count: 1 })).toMatchObject({
      records: [{ id: 2, attempts: 1 }],
      failures: [],
    });
    expect(proxy.connections).toBe(2);
  });

  it('waits for a silent model, however long it takes', { tags: ['long'] }, async () => {
    await start({ deadAfterMs: 800 }, 3000);
    const { records, failures } = await model.run({ name: 'slow', count: 3 });
    expect(failures).toEqual([]);
    expect(records.map(({ attempts }) => attempts)).toEqual([1, 1, 1]);
  });

  it(
    'keeps its connection, and does not leak memory, over 1,000 completions and 1,000 streams',
    { tags: ['long'], timeout: 120_000 },
    async () => {
      await start(undefined, 0);
      const load = { count: 500, concurrency: 10 };
      const ways = ['complete', 'stream'] as const;
      const heap: number[] = [];
      const connections: number[] = [];
      for (const round of [1, 2]) {
        for (const how of ways) {
          const { failures, heapBytes } = await model.run({ name: `${how} ${round}`, how, ...load });
          expect(failures).toEqual([]);
          heap.push(heapBytes);
        }
        connections.push(emulator.sockets.length);
        emulator.requests.length = 0;
      }
      // Over HTTP/1.1 a stream may end just after the next question, which then uses another connection.
      expect(connections[0]).toBeLessThanOrEqual(protocol === 'h2' ? 1 : 2 * load.concurrency);
      expect(connections[1]).toBe(connections[0]);
      expect(emulator.sockets.every((socket) => socket.open)).toBe(true);
      const [, before = 0, , after = 0] = heap;
      // 1,000 leaked bodies would take many times this.
      expect(after - before).toBeLessThan(3_000_000);
    },
  );

  it('still answers after 500 aborted streams', { tags: ['long'] }, async () => {
    await start(undefined, 0);
    await model.run({ name: 'aborted', how: 'abort', count: 500, concurrency: 10 });
    const { failures } = await model.run({ name: 'after', count: 10 });
    expect(failures).toEqual([]);
  });

  // SIGSTOP pauses the process as Azure pauses an idle instance. Windows has no equivalent.
  it(
    'never uses a connection that was idle while the process was paused',
    { tags: ['posix', 'long'] },
    async () => {
      await start({ maxIdleMs: 3000 });
      const askAgain = async () => (await model.run({ name: 'q', count: 1 })).records[0];
      expect(await askAgain()).toMatchObject({ id: 1, reused: false });
      expect(await askAgain()).toMatchObject({ id: 1, reused: true });
      model.process.kill('SIGSTOP');
      await delay(3001);
      model.process.kill('SIGCONT');
      expect(await askAgain()).toMatchObject({ id: 2, reused: false, requestsOnConnection: 1, status: 200 });
      expect(await askAgain()).toMatchObject({ id: 2, reused: true });
      expect(emulator.sockets.map((socket) => socket.requests)).toEqual([2, 2]);
    },
  );
});

it(
  'leaves no connection open after a GOAWAY, even if the server does not close it',
  { tags: ['long'] },
  async () => {
    const emulator = await startEmulator();
    const model = startModelProcess(emulator);
    try {
      await model.run({ name: 'before', count: 1 });
      for (let index = 0; index < 10; index++) {
        emulator.failNext({ kind: 'goaway', keepsOpen: true });
        expect((await model.run({ name: `question ${index}`, count: 1 })).failures).toEqual([]);
      }
      await delay(4000);
      expect((await model.run({ name: 'after', count: 1 })).openConnections).toBe(1);
    } finally {
      await model.stop();
      await emulator.close();
    }
  },
);

describe('a connection that died silently', () => {
  let emulator: Emulator;
  let proxy: TcpProxy;
  let model: ModelProcess;
  afterEach(async () => {
    await model.stop();
    await proxy.close();
    await emulator.close();
  });

  it('is found by PINGs over HTTP/2, and its questions are asked again on another one', async () => {
    emulator = await startEmulator({ protocols: ['h2'] });
    const upstream = new URL(emulator.url);
    proxy = await startTcpProxy(Number(upstream.port));
    upstream.port = String(proxy.port);
    model = startModelProcess(emulator, { deadAfterMs: 1000 }, upstream.href);
    await model.run({ name: 'a', count: 1 });
    proxy.silence();
    const { records, failures } = await model.run({ name: 'b', count: 3 });
    expect(failures).toEqual([]);
    expect(records.map(({ attempts, id }) => [attempts, id > 1])).toEqual(
      Array.from({ length: 3 }, () => [2, true]),
    );
  });
});
