/** Requests about one answer: POST /ask, and the address of the answer. */
import type { AddressedAnswerBody, SessionEvent, StatusEvent } from '../../src/lib/contract/answer-events.ts';
import type { PerformanceMetrics } from '../../src/lib/contract/metrics.ts';
import type { Answer, ErrorBody } from '../../src/lib/contract/responses.ts';
import { readEvents } from './events.ts';
import { AskFailure, brokenOff, failureIn, failureOf, isJson } from './failure.ts';
import { send } from './request.ts';

/** A question with its key, which names its answer in the session. */
export interface KeyedQuestion {
  session: string;
  key: string;
  question: string;
  /** Cached answers are ignored. */
  pastCache: boolean;
  /** The position of the interaction whose place the answer takes. */
  replaces?: string | undefined;
}

/** How an answer has ended. */
export interface Ending {
  answer: string;
  isStopped: boolean;
  /** Absent when the answer is not stored. */
  position?: string | undefined;
  /** Whether the model reached its output limit before the end. */
  isCut: boolean;
  /** Absent when the answer came from its address. */
  metrics?: PerformanceMetrics | undefined;
}

/** What happens while a question is answered; `done` is the last event. */
export type AnswerEvent =
  /** The text that follows begins at this offset of the answer, in UTF-16 code units. */
  | { type: 'opened'; offset: number }
  | { type: 'token'; text: string }
  /** The server waits for this number of seconds until it asks the model again. */
  | { type: 'status'; retryIn: number }
  | { type: 'done'; ending: Ending };

/** Asks a question, also once more: the key makes sure that it is answered once. `from` is the length of the known text. */
export function sendQuestion(
  { session, key, question, pastCache, replaces }: KeyedQuestion,
  from: number,
  signal: AbortSignal,
): Promise<Response> {
  return send('/ask', {
    method: 'POST',
    headers: {
      'Content-Type': 'application/json',
      'Idempotency-Key': key,
      ...(pastCache && { 'Cache-Control': 'no-cache' }),
      ...streamFrom(from),
    },
    body: JSON.stringify({ question, session_id: session, replaces }),
    signal,
  });
}

/** Requests the text of an answer from `from` on. */
export async function requestAnswer(
  question: KeyedQuestion,
  from: number,
  signal: AbortSignal,
): Promise<Response> {
  const response = await send(addressOf(question), { headers: streamFrom(from), signal });
  // A gateway in front of a server that restarts: it says nothing about the answer.
  if (response.status >= 502 && !isJson(response)) throw brokenOff();
  return response;
}

/** Reads the state of an answer; undefined when the server does not know it. @throws AskFailure */
export async function readState(
  question: KeyedQuestion,
  signal: AbortSignal,
): Promise<AddressedAnswerBody | undefined> {
  const response = await send(addressOf(question), { signal });
  if (response.status === 404) return undefined;
  if (!response.ok) throw await failureOf(response);
  return (await response.json()) as AddressedAnswerBody;
}

/** Stops an answer. Returns undefined when it is not over yet. @throws AskFailure */
export async function stopAnswer(question: KeyedQuestion): Promise<Ending | undefined> {
  // Also when the page is left in this moment.
  const response = await send(addressOf(question), { method: 'DELETE', keepalive: true });
  if (!response.ok) throw await failureOf(response);
  const state = (await response.json()) as AddressedAnswerBody;
  if (state.state === 'failed') throw failureIn(state as ErrorBody);
  return state.state === 'answering' ? undefined : endingOf(state);
}

/** Yields the events of a response, of which `done` is the last. @throws AskFailure */
export async function* readAnswer(response: Response): AsyncGenerator<AnswerEvent, void, void> {
  if (!response.ok) throw await failureOf(response);
  try {
    // A server that does not stream sends the whole answer.
    if (isJson(response)) yield { type: 'done', ending: endingOf((await response.json()) as Body) };
    else if (response.body) yield* readStream(response.body);
  } catch (error) {
    throw error instanceof AskFailure ? error : brokenOff();
  }
}

async function* readStream(
  stream: ReadableStream<Uint8Array<ArrayBuffer>>,
): AsyncGenerator<AnswerEvent, void, void> {
  for await (const { event, data } of readEvents(stream)) {
    const body: unknown = JSON.parse(data);
    if (event === 'session') yield { type: 'opened', offset: (body as SessionEvent).offset ?? 0 };
    if (event === 'token') yield { type: 'token', text: (body as { text: string }).text };
    if (event === 'status') yield { type: 'status', retryIn: (body as StatusEvent).retry_in };
    if (event === 'error') throw failureIn(body as ErrorBody);
    if (event === 'done') {
      yield { type: 'done', ending: endingOf(body as Body) };
      return;
    }
  }
  throw brokenOff();
}

/** The event `done` of a question, or of the address of its answer. */
type Body = Loose<
  Pick<Answer, 'answer' | 'stopped' | 'position' | 'finish_reason' | 'performance_metrics'> &
    Pick<AddressedAnswerBody, 'state'>
>;
type Loose<Fields> = { [Name in keyof Fields]?: Fields[Name] | undefined };

const endingOf = (body: Body): Ending => ({
  answer: body.answer ?? '',
  isStopped: body.stopped === true || body.state === 'stopped',
  position: body.position,
  isCut: body.finish_reason === 'length',
  metrics: body.performance_metrics,
});

const addressOf = ({ session, key }: KeyedQuestion): string =>
  `/sessions/${encodeURIComponent(session)}/answers/${key}`;

const streamFrom = (from: number) => ({
  Accept: 'text/event-stream',
  ...(from > 0 && { 'Last-Event-ID': String(from) }),
});
