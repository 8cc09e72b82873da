/** Requests of the smoke test. Every response is held against the schemas of the contract. */
import { createParser } from 'eventsource-parser';
import * as z from 'zod/mini';
import type { AskFields } from '../../src/lib/contract/ask-fields.ts';
import { streamEvents } from '../../src/lib/contract/answer-events.ts';
import { type Answer, answer } from '../../src/lib/contract/responses.ts';

/** The app to test. */
export interface Target {
  /** Address without a path. */
  url: string;
  /** The function key; null when none is required. */
  key: string | null;
  /** The key of a caller, for an app with CALLER_KEYS. */
  callerKey?: string | undefined;
}

/** The headers with the keys. */
export const keyHeaders = ({ key, callerKey }: Target): Record<string, string> => ({
  ...(key !== null && { 'x-functions-key': key }),
  ...(callerKey && { authorization: `Bearer ${callerKey}` }),
});

/** An answer with what the client saw. */
export interface Asked {
  answer: Answer;
  headers: Headers;
  /** From sending the request to the whole answer. */
  ms: number;
  /** The texts of a stream's tokens; empty for a plain answer. */
  tokens: string[];
}

/** Longer than the app may take for an answer. */
const TIMEOUT_MS = 230_000;
const LONGEST_QUOTE = 300;

/** Sends a request. @throws Error with the status and the beginning of the body when the status is another one. */
export async function send(
  target: Target,
  path: string,
  expected: number,
  init: Omit<RequestInit, 'headers'> & { headers?: Record<string, string> } = {},
): Promise<Response> {
  const headers = { ...keyHeaders(target), ...init.headers };
  const signal = AbortSignal.timeout(TIMEOUT_MS);
  const response = await fetch(target.url + path, { ...init, headers, signal });
  if (response.status === expected) return response;
  const body = (await response.text()).slice(0, LONGEST_QUOTE);
  const hint =
    response.status === 401
      ? ' Send the function key with --key, or that of a caller with --caller-key.'
      : '';
  throw new Error(`${path} answered ${response.status} instead of ${expected}. ${body}${hint}`);
}

/** Asks a question, streamed if `fields.stream` is true. @throws Error when the answer is not as documented. */
export async function ask(
  target: Target,
  fields: AskFields,
  headers: Record<string, string> = {},
): Promise<Asked> {
  const startedAt = performance.now();
  const response = await send(target, '/ask', 200, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(fields),
  });
  const tokens: string[] = [];
  const body = fields.stream ? await readStream(response, tokens) : await response.json();
  const ms = performance.now() - startedAt;
  return { answer: parsed(answer, body, '/ask'), headers: response.headers, ms, tokens };
}

/** Returns `value` as the schema describes it. @throws Error that names the first field that differs. */
export function parsed<T>(schema: z.ZodMiniType<T>, value: unknown, where: string): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  throw new Error(`${where}: ${issue?.path.join('.')} ${issue?.message}`);
}

/** Collects the tokens of a stream. Returns the data of its event `done`. */
async function readStream(response: Response, tokens: string[]): Promise<unknown> {
  let done: unknown;
  const parser = createParser({
    onEvent({ event = '', data }) {
      const value: unknown = JSON.parse(data);
      if (event === 'token') tokens.push(parsed(streamEvents.token, value, 'event token').text);
      if (event === 'error')
        throw new Error(`The stream ended with an error: ${data.slice(0, LONGEST_QUOTE)}`);
      if (event === 'done') done = value;
    },
  });
  const decoder = new TextDecoder();
  for await (const chunk of response.body ?? []) parser.feed(decoder.decode(chunk, { stream: true }));
  return done;
}
