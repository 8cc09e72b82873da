/**
 * The lifecycle of a question, the same for all doors: its record, its time limit, its answer, its outcome, its end; and that of
 * an HTTP request with a question.
 */
import type { Answerer } from '../ask/answer-question.ts';
import { type AnswerEvent, answerEvents } from '../ask/answer-events.ts';
import type { AskContext, Question } from '../ask/question.ts';
import type { Budgets } from '../budget/budgets.ts';
import type { Config } from '../config/config.ts';
import { type AskError, errors, toAskError } from '../contract/errors.ts';
import type { BudgetLeft } from '../contract/metrics.ts';
import type { Answer } from '../contract/responses.ts';
import type { ProcessCounters } from '../telemetry/process-counters.ts';
import type { AnswerReader } from '../model/completion.ts';
import { createQuestionRecord, type QuestionRecord } from '../telemetry/question-record.ts';
import type { KeepWarm } from '../pool/http-client.ts';
import { atLevel, consoleLog, type Invocation, logError } from '../common/log.ts';
import type { PendingWork } from '../common/pending-work.ts';
import { type EventFormat, streamAnswer } from './ask-stream.ts';
import { CallerDisconnectedError, type RawRequest } from './raw-request.ts';
import { CLIENT_CLOSED_REQUEST, type Reply } from './response.ts';
import { callerName, readUserId } from './user.ts';
import { type FinishedQuestion, logQuestion, type Outcome } from '../telemetry/finished.ts';
import type { Reporter } from '../telemetry/reporter.ts';

/** What a question needs. */
export interface AskServices {
  answerer: Answerer;
  counters: ProcessCounters;
  keepWarm: KeepWarm;
  /** Null when no budget is set. */
  budgets: Budgets | null;
  /** Null when the settings name no receiver of traces and metrics. */
  reporter: Reporter | null;
  config: Config;
  /** Requests in progress. */
  requests: PendingWork;
  /** Aborts when the process stops and open requests have to end; the reason is the error for the caller. */
  stopSignal: AbortSignal;
}

/** The request that brought the question. */
export interface Asking {
  invocation: Invocation;
  /** Aborts at the deadline or when the process stops; the reason is the error for the caller. */
  signal: AbortSignal;
  /** Aborts when the caller disconnects; the reason is then no error. */
  disconnected: AbortSignal;
  /** Aborts when the caller cancels the question: the answer is then stopped. */
  cancelled?: AbortSignal;
  /** Takes the finished question. When it gives false, the reporter gets it. */
  take?: (finished: FinishedQuestion) => boolean;
}

/** One question, from its arrival to its end. */
export class AskedQuestion {
  readonly record: QuestionRecord;
  /** Where this question is logged. The log of an invocation is closed once the headers of a stream are sent. */
  log: Invocation['log'];
  readonly #services: AskServices;
  readonly #asking: Asking;
  readonly #ended = Promise.withResolvers<void>();
  #question: Question | undefined;

  constructor(services: AskServices, asking: Asking) {
    const { invocation } = asking;
    this.record = createQuestionRecord(
      invocation.startedAt,
      invocation.id,
      services.counters.takeColdStart(),
    );
    this.log = invocation.log;
    this.#services = services;
    this.#asking = asking;
    // A stream goes on after its response was returned.
    void services.requests.add(this.#ended.promise);
  }

  /** The question; undefined until it was accepted. */
  get question(): Question | undefined {
    return this.#question;
  }

  /** Resolves at the end. */
  get ended(): Promise<void> {
    return this.#ended.promise;
  }

  /** Answers `question`. @throws AskError when there is no answer. */
  answer(question: Question, reader: AnswerReader = {}): Promise<Answer> {
    const { answerer, budgets, keepWarm, config } = this.#services;
    const { signal, disconnected, cancelled, invocation } = this.#asking;
    this.#question = question;
    keepWarm.touch();
    const budget = budgets?.of(question.userId);
    this.record.budget = budget;
    const context: AskContext = {
      record: this.record,
      signal,
      deadline: invocation.startedAt + config.requestTimeoutMs,
      disconnected,
      cancelled,
      budget,
      onText: reader.onText,
      onWait: (ms) => {
        this.log.warn(`The quota of the model is used up: waiting for ${Math.ceil(ms / 1000)} s`);
        reader.onWait?.(ms);
      },
      warn: (message) => this.log.warn(message),
    };
    return answerer.answer(question, context);
  }

  /** Answers `question`, piece by piece. @throws as {@link answer}, after some events or none. */
  events(question: Question): AsyncGenerator<AnswerEvent<Answer>, void, void> {
    return answerEvents((reader) => this.answer(question, reader));
  }

  /**
   * Ends the question, once: with its answer, or with what was thrown in place of one. Writes to the log and the telemetry.
   * Gives the error for the caller; null when there is none, or the caller has left.
   */
  end(thrown?: unknown): AskError | null {
    const error =
      thrown === undefined || thrown instanceof CallerDisconnectedError ? null : toAskError(thrown);
    const left = this.#asking.disconnected.aborted || thrown instanceof CallerDisconnectedError;
    // An expired answer takes the place of an error for the caller, not for the operator.
    const fault = error ?? this.record.cache.stale?.fault;
    if (fault && !left) logError(fault, this.log);
    this.#report(left ? 'left' : (error ?? (this.record.stopped ? 'stopped' : 'answered')));
    this.#ended.resolve();
    return error;
  }

  #report(outcome: Outcome): void {
    const { counters, reporter, config } = this.#services;
    const isLogged = config.logLevel === 'info';
    if (!reporter && !isLogged) return;
    const question = this.#question;
    const finished: FinishedQuestion = {
      outcome,
      record: this.record,
      question: question && {
        session: question.prompt ? null : { userId: question.userId, sessionId: question.sessionId },
        streamed: question.stream,
        caller: callerName(question.userId),
      },
      metrics: counters.report(this.record),
      traceParent: this.#asking.invocation.traceParent,
    };
    if (isLogged) logQuestion(this.log, finished);
    if (!this.#asking.take?.(finished)) reporter?.report(finished);
  }
}

/** How an API reads questions and writes answers. */
export interface AnswerFormat<Q extends Question> {
  /** Reads and validates the question of a user. @throws AskError, or the reason of the signal. */
  read(userId: string | null, signal: AbortSignal): Promise<Q>;
  /** Of answers, with and without a stream. */
  headers(record: QuestionRecord): Record<string, string>;
  toResponse(answer: Answer, question: Q, record: QuestionRecord): Reply;
  toEvents(question: Q, record: QuestionRecord): EventFormat<Answer>;
  /** `question` is undefined until it was accepted. */
  toErrorResponse(error: AskError, question: Question | undefined, record: QuestionRecord): Reply;
}

/**
 * Answers a request. An error becomes an error response, or the last event of a stream.
 * @throws AskError only when the user may not ask: such a request is no question, and counts as none.
 */
export async function answerRequest<Q extends Question>(
  services: AskServices,
  request: RawRequest,
  invocation: Invocation,
  format: AnswerFormat<Q>,
): Promise<Reply> {
  const { config, stopSignal } = services;
  const { caller } = request;
  const userId = readUserId(request, config.users);
  const deadline = startDeadline(config.requestTimeoutMs, stopSignal, () => asked.question !== undefined);
  const { signal } = deadline;
  const asked = new AskedQuestion(services, { invocation, signal, disconnected: caller.disconnected });
  void asked.ended.then(deadline.clear);
  const { record } = asked;
  try {
    const question = await format.read(userId, signal);
    if (!question.stream) {
      const answer = await asked.answer(question);
      asked.end();
      return format.toResponse(answer, question, record);
    }
    // The log of the invocation is closed once the headers are sent.
    asked.log = atLevel(config.logLevel, consoleLog(invocation.id));
    return await streamAnswer({
      end: (thrown) => void asked.end(thrown),
      events: asked.events(question),
      format: format.toEvents(question, record),
      headers: () => format.headers(record),
      caller,
      signal,
    });
  } catch (thrown) {
    const error = asked.end(thrown);
    return error ? format.toErrorResponse(error, asked.question, record) : CLIENT_CLOSED_REQUEST;
  }
}

/** The headers that answers have in every API. */
export function answerHeaders(record: QuestionRecord): Record<string, string> {
  const { cache, replayed, invocationId, budget } = record;
  return {
    'X-Cache': cache.result === 'error' ? 'MISS' : cache.result.toUpperCase(),
    ...(cache.tier !== null && { Age: String(Math.floor(cache.ageMs / 1000)) }),
    ...(replayed && { 'Idempotency-Replayed': 'true' }),
    ...(budget?.left && { 'X-Budget-Remaining': budgetHeader(budget.left) }),
    'X-Request-Id': invocationId,
  };
}

/** Gives `caller_day=0.42, app_month=17.5`. */
const budgetHeader = (left: BudgetLeft): string =>
  Object.entries(left)
    .map(([name, each]) => `${name}=${each?.remaining}`)
    .join(', ');

/**
 * Starts a time limit of `ms` milliseconds. Its signal aborts then, or when the process stops (`stopSignal`); the reason is the
 * error for the caller. `hasArrived` tells at the deadline whether the request was complete by then.
 */
export function startDeadline(ms: number, stopSignal: AbortSignal, hasArrived: () => boolean) {
  const controller = new AbortController();
  const seconds = ms / 1000;
  const timer = setTimeout(() => {
    controller.abort(hasArrived() ? errors.timeout(seconds) : errors.requestTimeout(seconds));
  }, ms);
  // Not AbortSignal.any, to whose signal each listener takes several times as long to add and to remove.
  const onStop = (): void => controller.abort(stopSignal.reason);
  if (stopSignal.aborted) onStop();
  else stopSignal.addEventListener('abort', onStop, { once: true });
  return {
    signal: controller.signal,
    clear: () => {
      clearTimeout(timer);
      stopSignal.removeEventListener('abort', onStop);
    },
  };
}
