/** Asks for an answer as a stream of events, and reads it with a parser that knows nothing of us. */
import { createParser } from 'eventsource-parser';
import type { Answer, ErrorBody } from '../../src/lib/contract/responses.ts';
import { post, type TestApp } from './app.ts';

/** What came of a stream. */
export interface Streamed {
  response: Response;
  /** Names of the events, each run of tokens once. */
  names: string[];
  tokens: string[];
  comments: number;
  session: { session_id: string; cold_start: boolean };
  done: Answer | undefined;
  /** The event `error`, or the body of an answer that is no stream. */
  error: ErrorBody | undefined;
}

/** How a stream is asked for and read. */
export interface StreamOptions {
  headers?: Record<string, string>;
  /** Is given each piece of text; false ends the reading. */
  onToken?: (text: string) => boolean;
}

/** Asks for a stream and reads it to its end, or until `onToken` says false. */
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
  return streamed;
}
