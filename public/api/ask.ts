/** Client of POST /ask. */
import type { SessionEvent } from '../../src/lib/contract/answer-events.ts';
import type { Answer, ErrorBody } from '../../src/lib/contract/responses.ts';
import { readEvents } from './events.ts';
import { AskFailure, brokenOff, failureOf, isJson } from './failure.ts';
import { send } from './request.ts';

/** What happens while a question is answered; `done` is the last event. */
export type AskEvent =
  | { type: 'session'; sessionId: string }
  | { type: 'token'; text: string }
  | { type: 'done'; answer: Answer };

/** A question, the session that it belongs to (null for a new one), and whether cached answers are ignored. */
export interface AskRequest {
  question: string;
  sessionId: string | null;
  pastCache: boolean;
}

/**
 * Asks a question and yields the events of the answer.
 * @throws AskFailure
 */
export async function* ask(
  { question, sessionId, pastCache }: AskRequest,
  signal: AbortSignal,
): AsyncGenerator<AskEvent, void, void> {
  const response = await send('/ask', {
    method: 'POST',
    headers: {
      'Content-Type': 'application/json',
      Accept: 'text/event-stream',
      ...(pastCache && { 'Cache-Control': 'no-cache' }),
    },
    body: JSON.stringify({ question, ...(sessionId !== null && { session_id: sessionId }) }),
    signal,
  });
  if (!response.ok) throw await failureOf(response);
  try {
    // A server that does not stream sends the whole answer.
    if (isJson(response)) yield { type: 'done', answer: (await response.json()) as Answer };
    else if (response.body) yield* readAnswer(response.body);
  } catch (error) {
    throw error instanceof AskFailure ? error : brokenOff();
  }
}

async function* readAnswer(
  stream: ReadableStream<Uint8Array<ArrayBuffer>>,
): AsyncGenerator<AskEvent, void, void> {
  for await (const { event, data } of readEvents(stream)) {
    const body: unknown = JSON.parse(data);
    if (event === 'session') yield { type: 'session', sessionId: (body as SessionEvent).session_id };
    if (event === 'token') yield { type: 'token', text: (body as { text: string }).text };
    if (event === 'done') {
      yield { type: 'done', answer: body as Answer };
      return;
    }
    if (event === 'error') {
      const { status, error } = body as ErrorBody;
      throw new AskFailure(status, {
        retryAfter: error?.retry_after ?? 0,
        code: error?.code,
        limit: error?.limit,
      });
    }
  }
  throw brokenOff();
}
