/** Sends one request of the performance test and measures it. */
import { randomUUID } from 'node:crypto';
import { createParser } from 'eventsource-parser';
import { type Kind, kindOf } from '../../public/measurements/kinds.ts';
import type { Answer, ErrorBody } from '../../src/lib/contract/responses.ts';
import type { PerformanceMetrics } from '../../src/lib/contract/metrics.ts';

/** Use of the cache: neither read nor written, written only, or read and written. */
export type CacheMode = 'no-store' | 'no-cache' | 'cached';

/** The request to send. */
export interface Question {
  url: string;
  key: string | null;
  question: string;
  stream: boolean;
  cache: CacheMode;
  /** null for a new session. */
  session: string | null;
  newConversation: boolean;
}

/** The result of a request. Times in seconds. */
export interface Outcome {
  /** From sending the request to receiving the whole answer, measured by the client. */
  client_time: number;
  /** null when the request failed. */
  kind: Kind | null;
  /** For example `503 busy` or `ECONNREFUSED`; null when the request was answered. */
  error: string | null;
  /** The server's `api_call_time`; null when the model was not called. */
  model_time: number | null;
  /** Measured by the client; null unless the answer was streamed. */
  time_to_first_token: number | null;
  connection_reused: boolean;
  cold_start: boolean;
}

type Result = { metrics: PerformanceMetrics } | { error: string };

/** Sends a question and waits for the whole answer. Failures are returned. @throws the signal's reason when aborted. */
export async function ask(question: Question, signal: AbortSignal): Promise<Outcome> {
  const startedAt = performance.now();
  const elapsed = (): number => (performance.now() - startedAt) / 1000;
  let firstToken: number | null = null;
  const result = await post(question, signal, () => (firstToken ??= elapsed())).catch((error: unknown) => {
    signal.throwIfAborted();
    return { error: codeOf(error) };
  });
  const client_time = elapsed();
  if ('error' in result) return { ...FAILED, client_time, error: result.error };
  const { metrics } = result;
  return {
    client_time,
    kind: kindOf(metrics),
    error: null,
    model_time: metrics.from_cache ? null : metrics.api_call_time,
    time_to_first_token: firstToken,
    connection_reused: metrics.connection_reused,
    cold_start: metrics.cold_start,
  };
}

const FAILED = {
  kind: null,
  model_time: null,
  time_to_first_token: null,
  connection_reused: false,
  cold_start: false,
};

async function post(question: Question, signal: AbortSignal, onToken: () => void): Promise<Result> {
  const response = await fetch(question.url, {
    method: 'POST',
    headers: {
      'Content-Type': 'application/json',
      ...(question.stream && { Accept: 'text/event-stream' }),
      ...(question.cache !== 'cached' && { 'Cache-Control': question.cache }),
      // The Functions host reads the first, an app with CALLER_KEYS the second.
      ...(question.key && { 'x-functions-key': question.key, Authorization: `Bearer ${question.key}` }),
    },
    body: JSON.stringify({
      question: question.question,
      session_id: question.session ?? randomUUID(),
      ...(question.newConversation && { new_conversation: true }),
    }),
    signal,
  });
  const isStream = response.headers.get('Content-Type')?.startsWith('text/event-stream');
  if (response.ok && isStream) return readStream(response, onToken);
  // The response to a wrong key has no body, and a proxy's error may not be JSON.
  const body = (await response.json().catch(() => ({}))) as Partial<Answer & ErrorBody>;
  return body.performance_metrics && response.ok
    ? { metrics: body.performance_metrics }
    : { error: `${response.status} ${body.error?.code ?? (response.ok ? 'no_answer' : '')}`.trim() };
}

async function readStream(response: Response, onToken: () => void): Promise<Result> {
  let result: Result = { error: `${response.status} stream_cut` };
  const parser = createParser({
    onEvent({ event, data }) {
      if (event === 'token') onToken();
      if (event === 'done') result = { metrics: (JSON.parse(data) as Answer).performance_metrics };
      if (event === 'error') result = { error: `stream ${(JSON.parse(data) as ErrorBody).error.code}` };
    },
  });
  const decoder = new TextDecoder();
  for await (const chunk of response.body ?? []) parser.feed(decoder.decode(chunk, { stream: true }));
  return result;
}

/** The error code, which fetch stores in the error's `cause`. */
function codeOf(error: unknown): string {
  const cause = error instanceof Error ? (error.cause ?? error) : error;
  const { code, name, message } = cause as { code?: string; name?: string; message?: string };
  return code || (name === 'Error' ? message : name) || String(cause);
}
