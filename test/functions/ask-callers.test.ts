/** Callers that send or read slowly, disconnect, or send malicious bodies. */
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { type IncomingMessage, request as httpRequest } from 'node:http';
import { connect, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import { beforeEach, describe, expect, it } from 'vitest';
import { ask, askForError, eventually, newQuestion, post } from '../support/app.ts';
import { sampled } from '../support/effort.ts';
import { useSharedApp } from '../support/fixture.ts';

const app = useSharedApp();

/** The outcomes of the questions so far, from the log. */
const outcomes = (): unknown[] =>
  (app.output().match(/\{"event":"question".*\}/g) ?? []).map(
    (line) => (JSON.parse(line) as { outcome: unknown }).outcome,
  );

/** Expects one log line at most for each caller, with the outcome of a disconnected one and without errors. */
async function expectDisconnected(callers = 1): Promise<void> {
  await eventually(() => outcomes().length > 0);
  expect(new Set(outcomes())).toEqual(new Set(['left']));
  expect(outcomes().length).toBeLessThanOrEqual(callers);
  expect(app.output()).not.toMatch(/internal_error|AbortError|aborted|\n\s+at /);
}

/** Sends the headers of a question, and the beginning of its body of 100 bytes. */
async function beginToAsk(beginning: string): Promise<Socket> {
  const { hostname, port } = new URL(app.url);
  const socket = connect(Number(port), hostname);
  await once(socket, 'connect');
  socket.write(
    `POST /ask HTTP/1.1\r\nHost: ${hostname}:${port}\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n${beginning}`,
  );
  return socket;
}

describe('a caller whose body does not arrive', () => {
  beforeEach(async () => {
    await app.start({ fresh: true, env: { REQUEST_TIMEOUT_SECONDS: '2' } });
  });

  it.each(
    sampled([
      ['nothing', '', 0],
      ['a part', '{"question": "Wh', 0],
      ['byte by byte', '{', 150],
    ]),
  )('gets 408 at the deadline: %s arrives', async (_, beginning, everyMs) => {
    const socket = await beginToAsk(beginning);
    const trickle = everyMs > 0 ? setInterval(() => socket.write(' '), everyMs) : undefined;
    try {
      let answer = '';
      socket.setEncoding('utf8').on('data', (chunk: string) => (answer += chunk));
      socket.on('error', () => {});
      await eventually(() => answer.includes('}'));
      expect(answer).toMatch(/^HTTP\/1\.1 408 /);
      expect(answer).toContain('"error":{"code":"request_timeout","limit":2}');
      expect(answer).toContain('within 2 seconds');
      expect(outcomes()).toEqual(['request_timeout']);
      expect(app.output()).not.toMatch(/\n\s+at /);
    } finally {
      clearInterval(trickle);
      socket.destroy();
    }
    expect((await ask(app, { question: newQuestion() })).status).toBe('success');
  });
});

/** Asks a question, and disconnects as soon as the model is called. */
const askAndDisconnect = async (fields: object, headers: Record<string, string>): Promise<void> => {
  const caller = new AbortController();
  const body = JSON.stringify({ question: randomUUID(), ...fields });
  const init = { method: 'POST', headers: { 'Content-Type': 'application/json', ...headers }, body };
  const asking = fetch(`${app.url}/ask`, { ...init, signal: caller.signal }).catch(() => null);
  await eventually(() => app.emulator.requests.length === 1);
  caller.abort();
  await asking;
};

describe('a caller that disconnects', () => {
  it.each(
    sampled(
      [
        ['plain, no-store', {}, { 'Cache-Control': 'no-store' }, 'on'],
        ['plain, FINISH_ABANDONED=off', {}, {}, 'off'],
        ['streamed, no-store', { stream: true }, { 'Cache-Control': 'no-store' }, 'on'],
        ['streamed, FINISH_ABANDONED=off', { stream: true }, {}, 'off'],
      ],
      2,
    ),
  )('before the answer is logged, and its model call is aborted: %s', async (_, fields, headers, finish) => {
    await app.start({ fresh: true, env: { FINISH_ABANDONED: finish }, emulator: { latencyMs: 5000 } });
    await askAndDisconnect(fields, headers);
    await eventually(() => app.emulator.requests[0]?.aborted === true);
    await expectDisconnected();
  });

  it('before the answer is logged, also when the answer is completed and stored', async () => {
    await app.start({ fresh: true, emulator: { latencyMs: 2000 } });
    await askAndDisconnect({}, {});
    await expectDisconnected();
    expect(app.emulator.requests).toMatchObject([{ status: 200, aborted: false }]);
  });

  it('during a stream is logged', async () => {
    await app.start({ fresh: true, env: { FINISH_ABANDONED: 'off' } });
    app.emulator.failNext({ kind: 'stall' });
    const caller = new AbortController();
    const response = await fetch(`${app.url}/ask`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ question: randomUUID(), stream: true }),
      signal: caller.signal,
    });
    const reader = response.body?.getReader();
    await reader?.read();
    caller.abort();
    await reader?.closed.catch(() => {});
    await eventually(() => app.emulator.requests[0]?.aborted === true);
    await expectDisconnected();
  });

  it.each(
    sampled([
      ['before the first byte', ''],
      ['in the middle', '{"question": "Wh'],
    ]),
  )('while it sends the body, %s, is logged', async (_, beginning) => {
    await app.start({ fresh: true });
    // A caller who leaves before the host has forwarded anything is not seen by the app: the next one waits longer.
    let callers = 0;
    for (let waitMs = 200; outcomes().length === 0; waitMs *= 2) {
      const socket = await beginToAsk(beginning);
      callers++;
      await delay(waitMs);
      socket.destroy();
      await eventually(() => outcomes().length > 0, waitMs).catch(() => {});
    }
    await expectDisconnected(callers);
    expect(app.emulator.requests).toEqual([]);
  });
});

it('nothing follows `done` when the deadline passes while it is read', { tags: ['long'] }, async () => {
  await app.start({ fresh: true, env: { REQUEST_TIMEOUT_SECONDS: '3', HISTORY_MAX_TOKENS: '0' } });
  const session_id = randomUUID();
  // The history in `done` is larger than all buffers between the app and the client.
  for (let turn = 0; turn < 8; turn++) {
    app.emulator.failNext({ kind: 'answer', content: '\u4e2d'.repeat(900_000) });
    await ask(app, { question: randomUUID(), session_id });
  }
  const asking = httpRequest(`${app.url}/ask`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', Accept: 'text/event-stream' },
  });
  asking.end(JSON.stringify({ question: randomUUID(), session_id }));
  const [response] = (await once(asking, 'response')) as [IncomingMessage];
  response.pause();
  await delay(4000);
  const events = [...(await text(response)).matchAll(/^event: (\w+)$/gm)].map(([, name]) => name);
  expect([...new Set(events)]).toEqual(['session', 'token', 'done']);
  await eventually(() => outcomes().length === 9);
  expect(outcomes()).toEqual(Array.from({ length: 9 }, () => 'answered'));
  expect(app.output()).not.toContain('timeout');
});

const lists = (depth: number, inside = '') => '['.repeat(depth) + inside + ']'.repeat(depth);
const objects = (depth: number, inside: string) => '{"a":'.repeat(depth) + inside + '}'.repeat(depth);

describe('a deeply nested body', () => {
  beforeEach(async () => {
    await app.start();
  });

  it.each(sampled([5000, 90_000]))('is accepted when it is otherwise valid: %i levels', async (depth) => {
    const emoji = '\\ud83d\\ude00';
    for (const nested of [lists(depth), objects(Math.min(depth, 30_000), `"${emoji}"`)]) {
      const response = await post(app, `{"question": "q ${emoji}", "x": ${nested}}`);
      expect([response.status, await response.text()]).toEqual([200, expect.stringContaining('"success"')]);
    }
  });

  it.each(sampled(['question', 'session_id', 'new_conversation', 'stream']))(
    'in "%s" is refused with 400',
    async (field) => {
      const fields = { question: '"\\ud83d\\ude00"', [field]: lists(90_000) };
      const body = Object.entries(fields).map(([name, value]) => `"${name}": ${value}`);
      const refused = await askForError(app, `{${body.join(', ')}}`);
      expect([refused.status, refused.body.error.code]).toEqual([400, 'invalid_request']);
      expect(refused.body.status).toContain(`"${field}"`);
    },
  );

  it('is refused when it contains a lone surrogate at the innermost level', async () => {
    const refused = await askForError(app, `{"question": "q", "x": ${lists(50_000, '"\\ud83d"')}}`);
    expect([refused.status, refused.body.error.code]).toEqual([400, 'invalid_json']);
  });
});
