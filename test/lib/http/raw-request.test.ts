/** Which request an invocation gets, when several requests carry its id. A real HTTP server receives them. */
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { Agent, createServer, type IncomingMessage, request as send, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { ForwardedRequests } from '../../../src/lib/http/raw-request.ts';

const server = createServer();
let requests: ForwardedRequests;
server.on('connection', () => requests.accept());

beforeEach(async () => {
  requests = new ForwardedRequests();
  server.removeAllListeners('request').on('request', (...forwarded) => requests.receive(...forwarded));
  server.listen(0);
  await once(server, 'listening');
});
afterEach(() => {
  server.closeAllConnections();
  server.close();
});

/** Sends a request as the host does. Gives the status of the response, or null when the connection was cut. */
const forward = (id: string, name: string): Promise<number | null> =>
  fetch(`http://localhost:${(server.address() as AddressInfo).port}/${name}?Headers={}`, {
    headers: { 'x-ms-invocation-id': id, 'x-name': name },
  }).then(
    ({ status }) => status,
    () => null,
  );

it.each(['the request', 'the invocation'])('are brought together when %s comes first', async (first) => {
  const id = randomUUID();
  const arrived = once(server, 'request');
  const status = forward(id, 'mine');
  if (first === 'the request') await arrived;
  const request = await requests.take(id);
  await request.respond({ status: 200 });
  expect([request.path, request.header('X-Name'), await status]).toEqual(['/mine', 'mine', 200]);
});

it('refuses both requests with the id of one invocation, and the invocation', async () => {
  const id = randomUUID();
  const arrived = once(server, 'request');
  const one = forward(id, 'one');
  await arrived;
  expect(await Promise.all([one, forward(id, 'two')])).toEqual([500, 500]);
  await expect(requests.take(id)).rejects.toThrow('More than one request');
});

it('cuts off a request that is being answered when a second one comes', async () => {
  const id = randomUUID();
  const one = forward(id, 'one');
  const { caller } = await requests.take(id);
  expect(await forward(id, 'two')).toBe(500);
  expect(await one).toBe(null);
  expect(caller.disconnected.aborted).toBe(true);
  // The id is free again: nothing is kept of an ended request.
  const again = forward(id, 'three');
  const third = await requests.take(id);
  expect(third.header('x-name')).toBe('three');
  await third.respond({ status: 200 });
  expect(await again).toBe(200);
});

it('shows at once that a caller has disconnected before its invocation came', async () => {
  const id = randomUUID();
  const caller = new AbortController();
  const arrived = once(server, 'request');
  const url = `http://localhost:${(server.address() as AddressInfo).port}/`;
  const sent = fetch(url, { headers: { 'x-ms-invocation-id': id }, signal: caller.signal }).catch(() => null);
  const [, response] = (await arrived) as [unknown, ServerResponse];
  caller.abort();
  await Promise.all([sent, once(response, 'close')]);
  expect((await requests.take(id)).caller.disconnected.aborted).toBe(true);
});

it('cuts off a response whose body fails: the host must not wait for the rest', async () => {
  const id = randomUUID();
  const received = fetch(`http://localhost:${(server.address() as AddressInfo).port}/`, {
    headers: { 'x-ms-invocation-id': id },
  });
  const request = await requests.take(id);
  async function* failing() {
    yield Buffer.from('half an answer');
    await received;
    throw new Error('no more');
  }
  await expect(request.respond({ status: 200, body: failing() })).rejects.toThrow('no more');
  await expect((await received).text()).rejects.toThrow('terminated');
});

it('answers 500 when a response fails before it has begun: the host would send the request again after a cut', async () => {
  const id = randomUUID();
  const received = fetch(`http://localhost:${(server.address() as AddressInfo).port}/`, {
    headers: { 'x-ms-invocation-id': id },
  });
  const request = await requests.take(id);
  const headers = { 'Cache-Control': 'public, max-age=31536000', 'X-Wrong': 'a\nb' };
  await expect(request.respond({ status: 200, headers })).rejects.toThrow('Invalid character');
  const { status, headers: sent } = await received;
  expect([status, sent.get('cache-control')]).toEqual([500, null]);
});

it('answers the next request on a connection after a body that was not read to its end', async () => {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const sockets = new Set<unknown>();
  const answered = async (body: string): Promise<number | undefined> => {
    const id = randomUUID();
    const { port } = server.address() as AddressInfo;
    const headers = { 'x-ms-invocation-id': id, 'Transfer-Encoding': 'chunked' };
    const sent = send({ port, agent, method: 'POST', headers }).end(body);
    sent.once('socket', (socket) => sockets.add(socket));
    const response = once(sent, 'response') as Promise<[IncomingMessage]>;
    const request = await requests.take(id);
    expect(await request.read(10)).toEqual(body.length > 10 ? null : Buffer.from(body));
    await request.respond({ status: 413, body: 'too large' });
    const [received] = await response;
    await once(received.resume(), 'end');
    return received.statusCode;
  };
  expect([await answered('x'.repeat(400_000)), await answered('small')]).toEqual([413, 413]);
  expect(sockets.size).toBe(1);
});

// Node accepts one connection in each turn of the event loop.
it('finds the last of many connections that come at once to a busy process', { tags: ['long'] }, async () => {
  const turnMs = 40;
  const count = 200;
  const ids = Array.from({ length: count }, () => randomUUID());
  const { port } = server.address() as AddressInfo;
  const agent = new Agent();
  const statuses = ids.map(async (id) => {
    const sent = send({ port, agent, headers: { 'x-ms-invocation-id': id } }).end();
    const [{ statusCode }] = (await once(sent, 'response')) as [IncomingMessage];
    return statusCode;
  });
  let isBusy = true;
  const work = (): void => {
    for (const end = performance.now() + turnMs; performance.now() < end;);
    if (isBusy) setImmediate(work);
  };
  setImmediate(work);
  await Promise.all(ids.map(async (id) => (await requests.take(id)).respond({ status: 200 })));
  isBusy = false;
  expect(new Set(await Promise.all(statuses))).toEqual(new Set([200]));
});
