/** The pool, and what its records say, compared with the emulator's own log. */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Emulator, startEmulator } from '../../dev/azure-openai-emulator.ts';
import { root } from '../../dev/build.ts';
import type { ConnectionRecord } from '../../src/lib/connection-record.ts';
import { systemEnvironment } from '../helpers.ts';

/**
 * Runs in a process of its own, which alone trusts the emulator's certificate: sends `count` requests at once, waits for
 * their answers, and does it again, `rounds` times. Prints the records of each round.
 */
const SCRIPT = `
  const { createHttpClient } = await import('./src/lib/http-client.ts');
  const { createConnectionRecord } = await import('./src/lib/connection-record.ts');
  const [url, key, count, rounds] = process.argv.slice(1);
  const client = createHttpClient();
  const body = JSON.stringify({ messages: [{ role: 'user', content: 'Hi there' }] });
  const all = [];
  for (let round = 0; round < Number(rounds); round++) {
    all.push(await Promise.all(Array.from({ length: Number(count) }, async () => {
      const record = createConnectionRecord();
      const response = await client.fetch(url + '/openai/deployments/d/chat/completions?api-version=1', {
        method: 'POST', headers: { 'api-key': key, 'content-type': 'application/json' }, body, record,
      });
      JSON.parse(await response.text());
      return record;
    })));
  }
  console.log(JSON.stringify({ rounds: all, open: client.openConnections() }));
  await client.close();
`;

const PAUSED_MAX_IDLE_MS = 3000;

/** Sends one request for each line that it reads, and prints its record. */
const PAUSED_SCRIPT = `
  const { createInterface } = await import('node:readline');
  const { createHttpClient } = await import('./src/lib/http-client.ts');
  const { createConnectionRecord } = await import('./src/lib/connection-record.ts');
  const [url, key] = process.argv.slice(1);
  const client = createHttpClient(${PAUSED_MAX_IDLE_MS});
  const body = JSON.stringify({ messages: [{ role: 'user', content: 'Hi there' }] });
  for await (const _ of createInterface({ input: process.stdin })) {
    const record = createConnectionRecord();
    const response = await client.fetch(url + '/openai/deployments/d/chat/completions?api-version=1', {
      method: 'POST', headers: { 'api-key': key, 'content-type': 'application/json' }, body, record,
    });
    await response.text();
    console.log(JSON.stringify(record));
  }
`;

const ascending = (a: number, b: number): number => a - b;

async function run(emulator: Emulator, count: number, rounds: number) {
  const args = [
    '--input-type=module',
    '-e',
    SCRIPT,
    emulator.url,
    emulator.apiKey,
    String(count),
    String(rounds),
  ];
  const { stdout } = await promisify(execFile)(process.execPath, args, {
    cwd: root,
    env: { ...systemEnvironment(), NODE_EXTRA_CA_CERTS: emulator.certificatePath },
  });
  return JSON.parse(stdout) as { rounds: ConnectionRecord[][]; open: number };
}

describe.each([
  ['h2', 'h2'],
  ['http/1.1', 'h1'],
] as const)('over %s', (alpn, protocol) => {
  let emulator: Emulator;
  beforeEach(async () => {
    emulator = await startEmulator({ protocols: [alpn], latencyMs: 20 });
  });
  afterEach(() => emulator.close());

  it('nobody of a cold burst reused a connection, and later everybody on an older one did', async () => {
    const { rounds, open } = await run(emulator, 40, 2);
    const [cold = [], warm = []] = rounds;
    expect(cold.map((record) => record.reused)).toEqual(Array.from({ length: 40 }, () => false));
    // Over HTTP/1.1 some connections of the first burst served two requests, so the second opens more.
    const old = new Set(cold.map((record) => record.id));
    expect(warm.map((record) => record.reused)).toEqual(warm.map((record) => old.has(record.id)));
    if (protocol === 'h2') expect(warm.every((record) => record.reused)).toBe(true);
    expect(new Set([...cold, ...warm].map((record) => record.protocol))).toEqual(new Set([protocol]));
    expect(open).toBe(emulator.sockets.length);
    if (protocol === 'h2') expect(open).toBe(1);
  });

  it('counts the requests of each connection as the emulator does', async () => {
    const { rounds } = await run(emulator, 10, 5);
    const byConnection = new Map<number, number[]>();
    for (const record of rounds.flat()) {
      byConnection.set(record.id, [...(byConnection.get(record.id) ?? []), record.requestsOnConnection]);
    }
    for (const counts of byConnection.values()) {
      expect(counts.toSorted(ascending)).toEqual(counts.map((_, index) => index + 1));
    }
    const used = emulator.sockets.filter((socket) => socket.requests > 0).map((socket) => socket.requests);
    expect([...byConnection.values()].map((counts) => counts.length).toSorted(ascending)).toEqual(
      used.toSorted(ascending),
    );
  });

  it('never opens more than 64 connections', async () => {
    const { rounds } = await run(emulator, 150, 1);
    expect(rounds.flat()).toHaveLength(150);
    expect(emulator.sockets.length).toBeLessThanOrEqual(protocol === 'h2' ? 2 : 64);
  });

  // SIGSTOP is what Azure does to an idle instance; Windows has no such thing.
  it.skipIf(process.platform === 'win32')(
    'never uses a connection that was idle while the process was paused',
    async () => {
      const child = spawn(
        process.execPath,
        ['--input-type=module', '-e', PAUSED_SCRIPT, emulator.url, emulator.apiKey],
        {
          cwd: root,
          env: { ...systemEnvironment(), NODE_EXTRA_CA_CERTS: emulator.certificatePath },
          stdio: ['pipe', 'pipe', 'inherit'],
        },
      );
      const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
      const askAgain = async (): Promise<ConnectionRecord> => {
        child.stdin.write('\n');
        return JSON.parse((await lines.next()).value ?? '') as ConnectionRecord;
      };
      try {
        expect(await askAgain()).toMatchObject({ id: 1, reused: false });
        expect(await askAgain()).toMatchObject({ id: 1, reused: true });
        child.kill('SIGSTOP');
        await new Promise((resolve) => setTimeout(resolve, 1 + PAUSED_MAX_IDLE_MS));
        child.kill('SIGCONT');
        expect(await askAgain()).toMatchObject({
          id: 2,
          reused: false,
          requestsOnConnection: 1,
          status: 200,
        });
        expect(await askAgain()).toMatchObject({ id: 2, reused: true });
        expect(emulator.sockets.map((socket) => socket.requests)).toEqual([2, 2]);
      } finally {
        child.kill('SIGKILL');
        await once(child, 'exit');
      }
    },
  );
});
