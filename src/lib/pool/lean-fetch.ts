/**
 * A minimal `fetch` with only what the OpenAI client uses. undici's `fetch`, with WHATWG `Request`, `Response` and
 * `Headers`, takes 0.46 ms of CPU for a call; this one takes 0.24 ms.
 */
import type { Dispatcher } from 'undici';
import { beginAttempt, type ConnectionRecord } from './connection-record.ts';
import type { RecordedOptions } from './recording-client.ts';

type Body = Dispatcher.ResponseData['body'];
type Headers = Dispatcher.ResponseData['headers'];

/** The standard `RequestInit` with two additions. */
export type FetchInit = RequestInit & {
  /** Filled in while the request runs. */
  record?: ConnectionRecord;
  /** Called with the HTTP status when the response headers arrive. */
  onResponse?: (status: number) => void;
  /** No limit of time but that of the signal. */
  patient?: boolean;
};

/** Time limit for the rest of a stream that the OpenAI client stopped reading. After that its connection is closed. */
const DRAIN_MS = 1000;

/** Sends a request through the pool that `poolOf` returns for its origin. Rejects with the errors of undici. */
export async function leanFetch(
  poolOf: (origin: string) => Dispatcher,
  target: string | URL | Request,
  init: FetchInit,
): Promise<Response> {
  const url = target instanceof Request ? target.url : String(target);
  const { origin, pathname, search } = new URL(url);
  const { record, onResponse, patient } = init;
  if (record) beginAttempt(record);
  const options: Dispatcher.RequestOptions & RecordedOptions = {
    origin,
    path: pathname + search,
    method: init.method ?? 'GET',
    headers: (init.headers ?? null) as Iterable<[string, string]> | null,
    body: (init.body ?? null) as string | null,
    signal: init.signal ?? null,
    ...(record && { record }),
    ...(patient && { headersTimeout: 0, bodyTimeout: 0 }),
  };
  const { statusCode, headers, body } = await poolOf(origin).request(options);
  onResponse?.(statusCode);
  // The only cast to Response: the OpenAI client uses nothing else of it.
  return new LeanResponse(url, statusCode, headers, body) as unknown as Response;
}

class LeanResponse {
  readonly url: string;
  readonly status: number;
  readonly ok: boolean;
  readonly headers: LeanHeaders;
  readonly body: AsyncIterable<Uint8Array>;
  readonly #body: Body;

  constructor(url: string, status: number, headers: Headers, body: Body) {
    this.url = url;
    this.status = status;
    this.ok = status >= 200 && status < 300;
    this.headers = new LeanHeaders(headers);
    this.body = { [Symbol.asyncIterator]: () => iterate(body) };
    this.#body = body;
  }

  text(): Promise<string> {
    return this.#body.text();
  }
}

/**
 * The OpenAI client stops reading at `[DONE]`, just before the stream ends. Cancelling the body there would close the
 * connection: with HTTP/1.1 after every stream, with HTTP/2 after some 2,500 streams. So the rest is read.
 */
async function* iterate(body: Body): AsyncGenerator<Uint8Array, void, void> {
  try {
    yield* body.iterator({ destroyOnReturn: false }) as AsyncIterable<Uint8Array>;
  } finally {
    if (!body.destroyed) drain(body);
  }
}

function drain(body: Body): void {
  const options = { limit: Number.MAX_SAFE_INTEGER, signal: AbortSignal.timeout(DRAIN_MS) };
  body.dump(options).catch(() => {});
}

/** The part of `Headers` that the OpenAI client uses, over undici's header object with its lower-case names. */
class LeanHeaders {
  readonly #values: Headers;

  constructor(values: Headers) {
    this.#values = values;
  }

  get(name: string): string | null {
    const value = this.#values[name.toLowerCase()];
    return value === undefined ? null : String(value);
  }

  *entries(): IterableIterator<[string, string]> {
    for (const [name, value] of Object.entries(this.#values))
      if (value !== undefined) yield [name, String(value)];
  }
}
