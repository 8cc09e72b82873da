/**
 * The tool `ask`. Rejected: a `resource_link` to the session in its result, of which LangChain's adapters (1.1.4) make a
 * file that `ChatOpenAI` (1.6.0) refuses, and which clients before 2025-06-18 do not know.
 */
import type { CallToolResult, ServerContext } from '@modelcontextprotocol/server';
import type { Question } from '../ask/question.ts';
import { errors, toAskError } from '../contract/errors.ts';
import type { Answer } from '../contract/responses.ts';
import type { AskFields } from '../contract/ask-fields.ts';
import { type AskResult, askArguments, askResult } from '../contract/tools.ts';
import { checkAskFields, checkKey, inConversation, readCacheControl } from '../http/ask-request.ts';
import { AskedQuestion } from '../http/asked-question.ts';
import type { McpExchange } from './exchange.ts';
import type { ObservedServer } from './observed-server.ts';
import { Progress } from './progress.ts';
import { listed, METRICS_META, toolError, toolResult } from './tool-result.ts';

const askTool = {
  title: 'Ask a question',
  description:
    'Answers a question with a language model, in the light of the chat history of the session. Keep `session_id` of the result, and send it with each follow-up question.',
  inputSchema: listed(askArguments),
  outputSchema: listed(askResult),
  // It adds to the chat history, and deletes nothing. The model is a service outside.
  annotations: { readOnlyHint: false, destructiveHint: false, idempotentHint: false, openWorldHint: true },
};

/** Registers the tool at the server of `exchange`. */
export function registerAskTool(server: ObservedServer, exchange: McpExchange): void {
  server.registerTool('ask', askTool, (fields, context) => ask({ server, exchange, context }, fields));
}

interface Call {
  server: ObservedServer;
  exchange: McpExchange;
  context: ServerContext;
}

async function ask(call: Call, fields: Record<string, unknown>): Promise<CallToolResult> {
  const { server, exchange, context } = call;
  const { services, invocation, signal } = exchange;
  const asked = new AskedQuestion(services, {
    invocation,
    signal,
    ...leaving(call),
    take: (finished) => server.addQuestion(context.mcpReq.id, finished),
  });
  try {
    const question = toQuestion(call, fields);
    const answer = await (question.stream ? withProgress(call, asked, question) : asked.answer(question));
    asked.end();
    return toResult(answer);
  } catch (thrown) {
    return toolError(asked.end(thrown) ?? toAskError(thrown), asked.question?.sessionId);
  }
}

/**
 * How the caller leaves. A lost connection does not mean that, except by revision 2026-07-28: there it is how a request
 * is cancelled. The SDK's signal aborts for both.
 */
function leaving({ exchange, context }: Call): { disconnected: AbortSignal; cancelled: AbortSignal } {
  const { disconnected } = exchange.caller;
  const { signal } = context.mcpReq;
  const cancel = new AbortController();
  const onAbort = () => {
    if (exchange.cancelsByLeaving || !disconnected.aborted) cancel.abort();
  };
  if (signal.aborted) onAbort();
  else signal.addEventListener('abort', onAbort, { once: true });
  return { disconnected, cancelled: cancel.signal };
}

/** Validates the arguments. @throws AskError that says what is wrong. */
function toQuestion({ exchange, context }: Call, args: Record<string, unknown>): Question {
  // Only these: a field of HTTP that is not listed, such as `new_conversation`, has no effect here.
  const given = { question: args['question'], session_id: args['session_id'] };
  const fields = checkAskFields(given, exchange.services.config.maxQuestionChars);
  return {
    ...inConversation(fields),
    cacheControl: readCacheControl(null),
    userId: exchange.userId,
    idempotencyKey: toKey(args['idempotency_key'], fields),
    textFrom: 0,
    stream: context.mcpReq._meta?.progressToken !== undefined,
  };
}

function toKey(value: unknown, { session_id: sessionId }: AskFields): string | undefined {
  if (value == null) return undefined;
  if (sessionId == null) throw errors.invalidField('idempotency_key', 'requires the field "session_id"');
  return checkKey(value, 'idempotency_key');
}

/** Answers the question. Its text is sent piece by piece as progress. */
async function withProgress(
  { exchange, context }: Call,
  asked: AskedQuestion,
  question: Question,
): Promise<Answer> {
  const { signal, caller } = exchange;
  const { _meta: meta, signal: cancelled } = context.mcpReq;
  const progress = new Progress(meta?.progressToken ?? '', async (params) => {
    if (caller.disconnected.aborted || cancelled.aborted) return;
    await context.mcpReq.notify({ method: 'notifications/progress', params });
    await caller.ready(signal);
  });
  for await (const event of asked.events(question)) {
    if (event.type === 'done') {
      await progress.flush();
      return event.answer;
    }
    if (event.type === 'token') await progress.add(event.text);
  }
  throw errors.internal(new Error('the answer ended without the event "done"'));
}

function toResult({
  answer,
  session_id,
  stopped,
  finish_reason,
  performance_metrics,
}: Answer): CallToolResult {
  const isStale = performance_metrics.cache.result === 'stale';
  const result: AskResult = {
    answer,
    session_id,
    ...(finish_reason && { finish_reason }),
    cached: performance_metrics.from_cache,
    ...(isStale && { stale: true }),
    ...(stopped && { stopped }),
  };
  const stale = isStale ? '; stale: the model did not answer' : '';
  const cut = stopped ? '; stopped' : finish_reason === 'length' ? '; cut at the output limit' : '';
  return toolResult(result, [answer, `session_id: ${session_id}; cached: ${result.cached}${stale}${cut}`], {
    [METRICS_META]: performance_metrics,
  });
}
