/**
 * The rows of answers: each question with an `Idempotency-Key` has one in the session's partition, from its claim to a day
 * after its end. While the question is being answered, the row has its text; afterwards the row of the interaction has it.
 */
import { randomUUID } from 'node:crypto';
import { AskError } from '../contract/ask-error.ts';
import { errors } from '../contract/errors.ts';
import type { ErrorCode } from '../contract/responses.ts';
import type { Properties } from './row-store.ts';
import { digest, toInteraction, toProperties } from './session-rows.ts';

/** How long an answer is remembered by its key. */
export const KEY_LIFETIME_MS = 24 * 3_600_000;
/** Start of these rows' keys, which sort after interactions and markers. */
export const ANSWER_PREFIX = 'idem-';
/** A text that sorts after all of them. */
export const AFTER_ANSWERS = 'idem.';

/** Key of the row for an `Idempotency-Key`. */
export const answerRowKey = (idempotencyKey: string): string => ANSWER_PREFIX + digest(idempotencyKey);

/**
 * `answering`: a request holds the claim, until its lease ends. `answered`: the interaction is stored. `stopped`: it was
 * stopped, and what had come is stored, if anything had. `failed`: there is no answer.
 */
export type AnswerState = 'answering' | 'answered' | 'stopped' | 'failed';

/** The properties of a row, beside those of the question's text. Times in milliseconds since 1970, as text. */
export interface AnswerRow extends Properties {
  state: AnswerState;
  /** The `Idempotency-Key` itself. */
  key: string;
  /** Digest of everything that must be equal for two questions to be the same; empty before there is a question. */
  question: string;
  /** Random id of the call that claimed the question. */
  owner: string;
  /** While `answering`: when the claim ends. `failed`, or `stopped` without an interaction: when this is forgotten. */
  leaseUntil: string;
  /** When the row was written: it is purged a day later. */
  storedAt: string;
  /** When the question arrived. */
  startedAt: string;
  /** Key of the interaction's row; empty while there is none. */
  interaction: string;
  /** Somebody wants the answer to stop. */
  stop: boolean;
}

/** What a row says about an answer at the moment. */
export interface StoredAnswer {
  key: string;
  state: AnswerState;
  /** Undefined when the interaction has it, or there was only a stop. */
  question: string | undefined;
  startedAt: number;
  /** Key of the interaction's row; undefined while there is none. */
  interaction: string | undefined;
  /** Why there is no answer; undefined unless `failed`. */
  failure: AskError | undefined;
}

/** A question to claim. */
export interface KeyedRequest {
  idempotencyKey: string;
  /** Everything that must be equal for two questions to be the same: its text first. */
  content: [text: string, ...more: unknown[]];
  /** When the question arrived, in milliseconds since 1970. */
  arrivedAt: number;
  /** When the claim ends unless it is renewed, in milliseconds since 1970. */
  leaseUntil: number;
}

/** Gives the row of a question that is claimed now. */
export async function claimingRow(request: KeyedRequest): Promise<AnswerRow> {
  const { idempotencyKey, content, arrivedAt, leaseUntil } = request;
  return {
    ...(await toProperties({ question: content[0], answer: '' })),
    ...emptyRow(idempotencyKey, arrivedAt, leaseUntil),
    state: 'answering',
    question: digest(...content),
    owner: randomUUID(),
  };
}

/** Gives the row of a stop whose question has not come. */
export const stoppedRow = (idempotencyKey: string, leaseUntil: number): AnswerRow =>
  emptyRow(idempotencyKey, Date.now(), leaseUntil);

const emptyRow = (key: string, startedAt: number, leaseUntil: number): AnswerRow => ({
  state: 'stopped',
  key,
  question: '',
  owner: '',
  leaseUntil: String(leaseUntil),
  storedAt: String(Date.now()),
  startedAt: String(startedAt),
  interaction: '',
  stop: false,
});

/** How a claim ends: with an interaction, stopped before its first text, or without an answer. */
export type ClaimEnd =
  | { state: 'answered' | 'stopped'; interaction: string }
  | { state: 'stopped' | 'failed'; failure?: AskError | undefined; rememberUntil: number };

/** Gives the row of a claim that has ended. Without an interaction, the row keeps the text of the question. */
export function endedRow(row: AnswerRow, end: ClaimEnd): AnswerRow {
  const storedAt = String(Date.now());
  const { state } = end;
  if ('interaction' in end) {
    const { key, question, startedAt } = row;
    const { interaction } = end;
    return { ...emptyRow(key, Number(startedAt), 0), state, question, storedAt, interaction };
  }
  const { failure, rememberUntil } = end;
  return {
    ...row,
    state,
    owner: '',
    leaseUntil: String(rememberUntil),
    storedAt,
    ...(failure && {
      status: String(failure.status),
      code: failure.code,
      message: failure.message,
      retryAfterMs: String(failure.retryAfterMs ?? ''),
      limit: String(failure.limit ?? ''),
    }),
  };
}

/** True when a row is no longer remembered. */
export const isForgotten = ({ storedAt }: AnswerRow): boolean =>
  Number(storedAt) < Date.now() - KEY_LIFETIME_MS;

/** True when the lease of a row has ended. */
export const isExpired = ({ leaseUntil }: AnswerRow): boolean => Number(leaseUntil) < Date.now();

/** Gives what a row says; null when it says nothing any more. */
export async function toStoredAnswer(row: AnswerRow): Promise<StoredAnswer | null> {
  const { key, startedAt, interaction } = row;
  const { state, failure } = stateOf(row);
  const isBrief = row.state === 'failed' || (row.state === 'stopped' && interaction === '');
  if (isForgotten(row) || (isBrief && isExpired(row))) return null;
  const text = await toInteraction(row);
  const question = text?.question;
  return {
    key,
    state,
    question,
    startedAt: Number(startedAt),
    interaction: interaction || undefined,
    failure,
  };
}

function stateOf(row: AnswerRow): Pick<StoredAnswer, 'state' | 'failure'> {
  if (row.state === 'failed') return { state: 'failed', failure: failureOf(row) };
  if (row.state !== 'answering' || !isExpired(row)) return { state: row.state, failure: undefined };
  // The process that had the claim has died.
  return row.stop
    ? { state: 'stopped', failure: undefined }
    : { state: 'failed', failure: errors.interrupted() };
}

function failureOf({ status, code, message, retryAfterMs, limit }: Properties): AskError {
  return new AskError(Number(status), String(code) as ErrorCode, String(message), {
    retryAfterMs: retryAfterMs ? Number(retryAfterMs) : undefined,
    ...(limit && { limit: Number(limit) }),
  });
}
