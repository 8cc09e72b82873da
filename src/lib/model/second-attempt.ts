/**
 * A second attempt beside one that stays silent. Rejected: a second request to the same endpoint, which doubles the tokens
 * and the queue; cutting the silent attempt, which may be nearly done and is paid for; a probe on another connection,
 * which says nothing about the silent one.
 */
import { errors } from '../contract/errors.ts';
import { addTokens, beginCall, type CallContext, type CallRecord, type Completion } from './completion.ts';

/** Part of the remaining time after which a second endpoint is called beside a silent one. The rest is for its answer. */
const SILENT_SHARE = 0.6;

/** Calls one endpoint. */
export type Attempt = (call: CallRecord, context: CallContext) => Promise<Completion>;

/** An endpoint sent nothing, while another endpoint that was called later answered. */
class SilentEndpointError extends Error {
  override readonly name = 'SilentEndpointError';
}

/** The other attempt was first. */
class SupersededError extends Error {
  override readonly name = 'SupersededError';
}

/**
 * Makes the attempt `first`. When nothing has arrived from it for 60 % of the remaining time, `takeSecond` may give an
 * attempt at another endpoint, which then runs beside it: a silent model may still be thinking, so `first` goes on.
 * The first text or answer ends the other attempt. For a silent `first` that is a failure of its endpoint. `call` becomes
 * the record of the attempt that won, and counts the requests of both.
 * @throws the error of the attempt that won, or of `first` when none did.
 */
export async function withSecondAttempt(
  first: Attempt,
  takeSecond: () => Attempt | null,
  call: CallRecord,
  context: CallContext,
): Promise<Completion> {
  const other = beginCall(call.prompt, call.streamed);
  const race = new Race(call, context);
  race.start(first, call);
  const silentMs = SILENT_SHARE * (context.deadline - performance.now());
  const timer = setTimeout(() => {
    const second = race.winner || call.connection.status !== null ? null : takeSecond();
    if (second) race.start(second, other);
  }, silentMs);
  try {
    return await race.result;
  } finally {
    clearTimeout(timer);
    const attempts = call.connection.attempts + other.connection.attempts;
    if (race.winner === other) adopt(call, other);
    call.connection.attempts = attempts;
  }
}

function adopt(call: CallRecord, { connection, completion, firstTokenAt, tokens }: CallRecord): void {
  Object.assign(call, { connection, completion, firstTokenAt });
  addTokens(call.tokens, tokens);
}

/** Attempts that run beside each other. */
class Race {
  /** The record of the attempt that was first to give text or an answer. */
  winner: CallRecord | null = null;
  readonly #call: CallRecord;
  readonly #context: CallContext;
  readonly #outcome = Promise.withResolvers<Completion>();
  readonly #running = new Map<CallRecord, AbortController>();
  #error: unknown;

  /** `call` is the record of the first attempt. */
  constructor(call: CallRecord, context: CallContext) {
    this.#call = call;
    this.#context = context;
  }

  get result(): Promise<Completion> {
    return this.#outcome.promise;
  }

  start(attempt: Attempt, record: CallRecord): void {
    const controller = new AbortController();
    this.#running.set(record, controller);
    const { signal, onText } = this.#context;
    const context = {
      ...this.#context,
      signal: AbortSignal.any([signal, controller.signal]),
      onText: onText && ((text: string) => void (this.#wins(record) && onText(text))),
    };
    void this.#follow(record, attempt(record, context));
  }

  async #follow(record: CallRecord, completion: Promise<Completion>): Promise<void> {
    try {
      const answer = await completion;
      if (this.#wins(record)) this.#outcome.resolve(answer);
    } catch (error) {
      this.#fail(record, error);
    }
  }

  #wins(record: CallRecord): boolean {
    this.winner ??= record;
    if (this.winner !== record) return false;
    for (const [each, controller] of this.#running) {
      if (each !== record) controller.abort(each === this.#call ? silence() : new SupersededError());
    }
    return true;
  }

  #fail(record: CallRecord, error: unknown): void {
    this.#running.delete(record);
    if (record === this.winner || (!this.winner && record === this.#call)) this.#error = error;
    if (this.#running.size === 0) this.#outcome.reject(this.#error ?? error);
  }
}

/** Counted by the circuit breaker of the endpoint. */
const silence = () =>
  errors.modelUnavailable(new SilentEndpointError('silent while another endpoint answered'));
