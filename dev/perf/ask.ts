/** One request of the performance test, and what became of it. */
import { randomUUID } from 'node:crypto';
import { createParser } from 'eventsource-parser';
import { type Kind, kindOf } from '../../public/facts.js';
import type { Answer } from '../../src/lib/contract/responses.ts';
import type { ErrorBody } from '../../src/lib/contract/responses.ts';
import type { PerformanceMetrics } from '../../src/lib/contract/metrics.ts';

/** How a request stands to the cache: past it, past it but keeping the answer, or through it. */
export type CacheMode = 'no-store' | 'no-cache' | 'cached';

/** What is sent where. */
export interface Question {
  url: string;
  key: string | null;
  question: string;
  stream: boolean;
  cache: CacheMode;
  /** null: a new session. */
  session: string | null;
  newConversation: boolean;
}

/** What became of a request. Times in seconds. */
export interface Outcome {
  /** From sending to the whole answer, seen by the client. */
  client_time: number;
  /** null when it failed. */
  kind: Kind | null;
  /** Such as `503 busy`, or `ECONNREFUSED`; null when it was answered. */
  error: string | null;
  /** The server's `api_call_time`; null when the model was not asked. */
  model_time: number | null;
  /** Seen by the client; null unless a stream. */
  time_to_first_token: number | null;
  connection_reused: boolean;
  cold_start: boolean;
}

type Result = { metrics: PerformanceMetrics } | { error: string };

/** Asks and waits for the whole answer; a failure is an outcome too. @throws what the signal throws. */
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
      ...(question.key && { 'x-functions-key': question.key }),
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
  // A wrong key gets no body, and a proxy's error is no JSON.
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

/** Fetch hides what happened in the cause. */
function codeOf(error: unknown): string {
  const cause = error instanceof Error ? (error.cause ?? error) : error;
  const { code, name } = cause as { code?: string; name?: string };
  return code || name || String(cause);
}
