/** Requests streamed answers and reads them with an independent parser. */
import { setImmediate } from 'node:timers/promises';
import { createParser } from 'eventsource-parser';
import type { Answer, ErrorBody } from '../../src/lib/contract/responses.ts';
import { post, type TestApp } from './app.ts';

/** The content of a stream. */
export interface Streamed {
  response: Response;
  /** Names of the events. Consecutive events with the same name are listed once. */
  names: string[];
  tokens: string[];
  comments: number;
  session: { session_id: string; cold_start: boolean };
  status?: { state: string; retry_in: number };
  done: Answer | undefined;
  /** The event `error`, or the body of a response that is not a stream. */
  error: ErrorBody | undefined;
}

/** Options of {@link streamFrom}. */
export interface StreamOptions {
  headers?: Record<string, string>;
  /** Called with each token's text. Reading stops when it returns false. */
  onToken?: (text: string) => boolean;
}

/** Requests a stream and reads it to the end, or until `onToken` returns false. */
export async function streamFrom(
  app: TestApp,
  fields: object,
  { headers = {}, onToken = () => true }: StreamOptions = {},
): Promise<Streamed> {
  const response = await post(app, JSON.stringify(fields), { Accept: 'text/event-stream', ...headers });
  const streamed: Streamed = {
    response,
    names: [],
    tokens: [],
    comments: 0,
    session: { session_id: '', cold_start: false },
    done: undefined,
    error: undefined,
  };
  if (response.status !== 200) {
    streamed.error = (await response.json()) as ErrorBody;
    return streamed;
  }
  const parser = createParser({
    onEvent({ event = '', data }) {
      if (streamed.names.at(-1) !== event) streamed.names.push(event);
      const value: unknown = JSON.parse(data);
      if (event === 'token') streamed.tokens.push((value as { text: string }).text);
      else Object.assign(streamed, { [event]: value });
    },
    onComment: () => void streamed.comments++,
  });
  const decoder = new TextDecoder();
  for await (const chunk of response.body ?? []) {
    const before = streamed.tokens.length;
    parser.feed(decoder.decode(chunk, { stream: true }));
    if (streamed.tokens.length > before && !onToken(streamed.tokens.at(-1) ?? '')) break;
  }
  // As for other responses: contract.ts.
  await setImmediate();
  return streamed;
}
