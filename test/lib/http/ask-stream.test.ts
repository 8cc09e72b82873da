/** When a stream sends its headers, and its comments while the model is silent. The tests use fake timers. */
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { answerEvents } from '../../../src/lib/ask/answer-events.ts';
import { type AnswerStream, ownEvents, streamAnswer } from '../../../src/lib/http/ask-stream.ts';
import type { Reply } from '../../../src/lib/http/response.ts';
import { errors, toAskError } from '../../../src/lib/contract/errors.ts';
import type { Answer } from '../../../src/lib/contract/responses.ts';

beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] }));
afterEach(() => void vi.useRealTimers());

/** A stream whose answer the test rejects. */
function silentStream() {
  const answer = Promise.withResolvers<Answer>();
  const failed: string[] = [];
  const stream: AnswerStream<Answer> = {
    events: answerEvents(() => answer.promise),
    format: ownEvents(() => ({ session_id: 's', cold_start: false })),
    headers: () => ({}),
    caller: { disconnected: new AbortController().signal, ready: async () => {} },
    signal: new AbortController().signal,
    end(thrown) {
      if (thrown !== undefined) failed.push(toAskError(thrown).code);
    },
  };
  return { stream, answer, failed };
}

it('delays its headers until the first event, so that a failure has its own status', async () => {
  const { stream, answer } = silentStream();
  const refused = expect(streamAnswer(stream)).rejects.toMatchObject({ status: 422 });
  await vi.advanceTimersByTimeAsync(14_900);
  answer.reject(errors.contentFiltered());
  await refused;
});

it('sends them after 15 s, then a comment every 15 s, and a failure as its last event', async () => {
  const { stream, answer, failed } = silentStream();
  let sent: Reply | undefined;
  const answering = streamAnswer(stream).then((reply) => (sent = reply));
  await vi.advanceTimersByTimeAsync(14_900);
  expect(sent).toBeUndefined();
  await vi.advanceTimersByTimeAsync(200);
  const { body } = await answering;
  const events = (body as AsyncIterable<Uint8Array>)[Symbol.asyncIterator]();
  const read = async () => new TextDecoder().decode((await events.next()).value);
  expect(await read()).toBe('event: session\ndata: {"session_id":"s","cold_start":false}\n\n');
  for (const _ of [1, 2, 3]) {
    const comment = read();
    await vi.advanceTimersByTimeAsync(15_000);
    expect(await comment).toMatch(/^: .+\n\n$/);
  }
  const last = read();
  answer.reject(errors.timeout(100));
  expect(await last).toContain('event: error\ndata: {"status":"There was no answer within 100 seconds.');
  expect((await events.next()).done).toBe(true);
  await expect.poll(() => failed).toEqual(['timeout']);
});
