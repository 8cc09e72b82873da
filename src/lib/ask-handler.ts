/** POST /ask as HTTP: reads the question, has it answered before the deadline, and writes the answer or the error. */
import type { HttpRequest, HttpResponseInit } from '@azure/functions';
import { type Answer, answerQuestion } from './answer-question.ts';
import { readQuestion } from './ask-request.ts';
import { type AskError, errors, toAskError } from './errors.ts';
import { errorResponse, type Invocation } from './http-response.ts';
import { createQuestionRecord, type QuestionRecord } from './question-record.ts';
import type { Services } from './services.ts';

/** Answers one request to `/ask`. Never rejects: every fault becomes an error answer. */
export function handleAsk(
  services: Services,
  request: HttpRequest,
  invocation: Invocation,
): Promise<HttpResponseInit> {
  return services.requests.add(answerRequest(services, request, invocation));
}

async function answerRequest(services: Services, request: HttpRequest, invocation: Invocation) {
  const coldStart = request.method === 'POST' && services.metrics.takeColdStart();
  const record = createQuestionRecord(invocation.startedAt, invocation.id, coldStart);
  const deadline = startDeadline(services.config.requestTimeoutMs);
  let sessionId: string | undefined;
  try {
    const question = await readQuestion(request, services.config);
    services.keeper.touch();
    const signal = AbortSignal.any([deadline.signal, services.stopSignal]);
    const warn = (message: string) => invocation.log.warn(message);
    for await (const event of answerQuestion(services, question, { record, signal, warn })) {
      if (event.type === 'done') return answerResponse(event.answer, record, invocation);
      sessionId = event.sessionId;
    }
    throw errors.internal(new Error('no answer and no error'));
  } catch (thrown) {
    const error = toAskError(thrown);
    logError(error, invocation);
    return errorResponse(error, invocation, sessionId);
  } finally {
    deadline.clear();
  }
}

function startDeadline(ms: number) {
  const controller = new AbortController();
  const timer = setTimeout(() => controller.abort(errors.timeout(ms / 1000)), ms);
  return { signal: controller.signal, clear: () => clearTimeout(timer) };
}

function answerResponse(
  answer: Answer,
  { cache, replayed }: QuestionRecord,
  invocation: Invocation,
): HttpResponseInit {
  const { timings, total_time: total } = answer.performance_metrics;
  const serverTiming = Object.entries({ ...timings, total }).map(
    ([name, time]) => `${name};dur=${1000 * time}`,
  );
  return {
    status: 200,
    headers: {
      'Cache-Control': 'no-store',
      'Server-Timing': serverTiming.join(', '),
      'X-Cache': cache.result === 'error' ? 'MISS' : cache.result.toUpperCase(),
      ...(cache.result === 'hit' && { Age: String(Math.floor(cache.ageMs / 1000)) }),
      ...(replayed && { 'Idempotency-Replayed': 'true' }),
      'X-Request-Id': invocation.id,
    },
    jsonBody: answer,
  };
}

/** Says in the log what a caller must not see. Of what the model's side sent, only kinds and codes: texts may hold keys. */
function logError(error: AskError, { log }: Invocation): void {
  if (error.status < 500 && error.code !== 'model_rate_limited') return;
  if (error.code === 'model_misconfigured') {
    log.error(
      'model_misconfigured: check AZURE_OPENAI_ENDPOINT, AZURE_OPENAI_API_KEY and AZURE_OPENAI_CHAT_DEPLOYMENT_NAME; ' +
        'without a key, grant the identity of this app the role "Cognitive Services OpenAI User".',
      causes(error),
    );
  } else if (error.code === 'internal_error') {
    log.error('internal_error', error.cause);
  } else {
    log.warn(error.code, causes(error));
  }
}

/** Names, statuses and codes along the chain of causes. */
function causes(error: Error): string {
  const names: string[] = [];
  for (let cause = error.cause; cause instanceof Error && names.length < 5; cause = cause.cause) {
    const { name, status = '', code = '' } = cause as Error & { status?: number; code?: string };
    names.push(`${name} ${status} ${code}`.trim());
  }
  return names.length === 0 ? '' : `(${names.join(' < ')})`;
}
