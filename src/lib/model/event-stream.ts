/** Reads the server-sent events of a model's response, all events of a network chunk at once. */
import { createParser } from 'eventsource-parser';
import type { Dispatcher } from 'undici';

/** The events of each network chunk. */
export type EventBatches = AsyncIterable<Iterable<object>>;

/** The last event of a stream of chat completions. */
const DONE = '[DONE]';
/** Time limit for what follows the last event. After that the connection is closed. */
const DRAIN_MS = 1000;

/** The service reported an error within a stream. `code` is its code, such as `server_error`. */
export class StreamFailedError extends Error {
  override readonly name = 'StreamFailedError';
  readonly code: string | undefined;

  constructor(code: string | undefined) {
    super('the stream reported an error');
    this.code = code;
  }
}

/** Gives the events until the end. A reader that stops before it aborts the response. @throws StreamFailedError. */
export async function* readEvents(body: Dispatcher.ResponseData['body']): EventBatches {
  const decoder = new TextDecoder();
  let batch: string[] = [];
  const parser = createParser({ onEvent: ({ data }) => void batch.push(data) });
  let isDone = false;
  try {
    // `destroyOnReturn` would close an HTTP/1.1 connection after each stream, and one of HTTP/2 after some 2,500.
    for await (const chunk of body.iterator({ destroyOnReturn: false }) as AsyncIterable<Uint8Array>) {
      parser.feed(decoder.decode(chunk, { stream: true }));
      if (batch.length === 0) continue;
      const end = batch.indexOf(DONE);
      isDone = end >= 0;
      yield parse(isDone ? batch.slice(0, end) : batch);
      if (isDone) return;
      batch = [];
    }
  } finally {
    if (isDone) drain(body);
    // Destroying a body that has not ended emits an error, which would end the process without a listener.
    else body.on('error', () => {}).destroy();
  }
}

/** Parses each event when it is its turn: what precedes an invalid one counts. */
function* parse(batch: string[]): Generator<object, void, void> {
  for (const data of batch) {
    const event = JSON.parse(data) as { error?: { code?: string | null } | null };
    // The Responses API reports its errors in events of the type `error`.
    if (event.error) throw new StreamFailedError(event.error.code ?? undefined);
    yield event;
  }
}

/** Reads the rest of the response, so that its connection can be used again. */
function drain(body: Dispatcher.ResponseData['body']): void {
  if (body.destroyed) return;
  const options = { limit: Number.MAX_SAFE_INTEGER, signal: AbortSignal.timeout(DRAIN_MS) };
  body.dump(options).catch(() => {});
}
