/** The reader of answers of the page, without a browser: its connections are cut, its server is the real app. */
import { randomUUID } from 'node:crypto';
import * as fc from 'fast-check';
import { afterEach, expect, it, vi } from 'vitest';
import { newQuestion } from '../support/app.ts';
import { scaled } from '../support/effort.ts';
import { useApp } from '../support/fixture.ts';

/** What is used of the module, whose own types are those of a browser. */
interface Reader {
  followAnswer: (
    question: ReturnType<typeof newKeyed>,
    how: { isNew: boolean; mayAsk: () => boolean; signal: AbortSignal },
  ) => AsyncGenerator<
    | { type: 'opened'; offset: number }
    | { type: 'token'; text: string }
    | { type: 'lost' }
    | { type: 'done'; ending: { answer: string } }
  >;
}
const address = new URL('../../public/api/follow-answer.ts', import.meta.url).href;
const { followAnswer } = (await import(address)) as Reader;

const app = useApp();
/** Each waits half a second before it comes back. */
const AT_ONCE = 50;
const TEXT = 'A💥 \n"é" of 12 pieces, each with a few words';
const { fetch: realFetch } = globalThis;
afterEach(() => vi.unstubAllGlobals());

/** Responds to a request of the page with this number. `send` sends it to the app. */
type Respond = (
  number: number,
  send: () => Promise<Response>,
  fields: { question?: string },
) => Promise<Response>;

/** Takes the requests of the page from now on. Returns their paths. */
function serve(respond: Respond): string[] {
  const sent: string[] = [];
  vi.stubGlobal('fetch', (path: string, options: RequestInit) => {
    sent.push(path);
    const { body } = options;
    const send = () => realFetch(app.url + path, options);
    return respond(sent.length, send, typeof body === 'string' ? (JSON.parse(body) as object) : {});
  });
  return sent;
}

/** A stream that breaks after these bytes. */
const broken = (bytes: Uint8Array): Response =>
  new Response(
    new ReadableStream({
      start: (controller) => void (bytes.length > 0 && controller.enqueue(bytes)),
      // Asked for more when the bytes were read.
      pull: (controller) => controller.error(new Error('The connection was cut.')),
    }),
    { headers: { 'Content-Type': 'text/event-stream' } },
  );

const newKeyed = () => ({
  session: randomUUID(),
  key: randomUUID(),
  question: newQuestion(),
  pastCache: false,
});

/** Reads an answer to its end. Fails when a text is shown that is not the beginning of the whole one. */
async function read(question: ReturnType<typeof newKeyed>): Promise<{ shown: string; answer: string }> {
  let shown = '';
  const how = { isNew: true, mayAsk: () => true, signal: new AbortController().signal };
  for await (const event of followAnswer(question, how)) {
    if (event.type === 'opened') shown = shown.slice(0, event.offset);
    if (event.type === 'token') shown += event.text;
    expect(TEXT.startsWith(shown), `shown: ${shown}`).toBe(true);
    if (event.type === 'done') return { shown, answer: event.ending.answer };
  }
  throw new Error('The answer did not end.');
}

it(
  'shows each character of the stored answer once, after whichever byte the connection is cut',
  { timeout: 240_000 },
  async () => {
    app.emulator.fault = { kind: 'answer', content: TEXT };
    app.emulator.tokenDelayMs = 30;
    // What the app sends while it answers, and the answer that it then has.
    const question = newKeyed();
    let stream = new Uint8Array();
    serve(async (_, send) => {
      stream = new Uint8Array(await (await send()).arrayBuffer());
      return new Response(stream, { headers: { 'Content-Type': 'text/event-stream' } });
    });
    expect(await read(question)).toEqual({ shown: TEXT, answer: TEXT });
    // On a busy machine, tokens that have come together are sent together.
    expect(
      Buffer.from(stream)
        .toString()
        .match(/event: token/g)?.length,
    ).toBeGreaterThan(1);

    const cuts = fc.sample(fc.shuffledSubarray([...stream.keys()], { minLength: stream.length }), 1)[0] ?? [];
    const comeBack = async (cut: number) => {
      const { shown, answer } = await read({ ...question, question: String(cut) });
      expect({ shown, answer }, `after ${cut} bytes`).toEqual({ shown: TEXT, answer: TEXT });
    };
    // Questions end here, after so many bytes; what follows them goes to the app, which has the answer.
    const sent = serve(async (_, send, { question: cut }) =>
      cut === undefined ? send() : broken(stream.subarray(0, Number(cut))),
    );
    const chosen = cuts.slice(0, scaled(600, 100));
    for (let start = 0; start < chosen.length; start += AT_ONCE)
      await Promise.all(chosen.slice(start, start + AT_ONCE).map(comeBack));
    expect(sent).toHaveLength(2 * chosen.length);
    expect(app.emulator.requests).toHaveLength(1);
  },
);

it('shows each character once when a live stream is cut again and again', async () => {
  app.emulator.fault = { kind: 'answer', content: TEXT };
  app.emulator.tokenDelayMs = 20;
  const sent = serve(async (number, send) => {
    const response = await send();
    const reader = number > 4 ? undefined : response.body?.getReader();
    if (!reader) return response;
    let left = 90 * number;
    return new Response(
      new ReadableStream<Uint8Array>({
        async pull(controller) {
          if (left <= 0) {
            void reader.cancel();
            return controller.error(new Error('The connection was cut.'));
          }
          const { done, value } = await reader.read();
          if (done) return controller.close();
          controller.enqueue(value.subarray(0, left));
          left -= value.length;
        },
      }),
      { headers: response.headers },
    );
  });
  expect(await read(newKeyed())).toEqual({ shown: TEXT, answer: TEXT });
  expect(sent.length).toBeGreaterThan(2);
  expect(app.emulator.requests).toHaveLength(1);
});
