/** The tool `ask`. */
import type { CallToolResult, ServerContext } from '@modelcontextprotocol/server';
import type { Question } from '../ask/question.ts';
import { errors, toAskError } from '../contract/errors.ts';
import type { Answer } from '../contract/responses.ts';
import { type AskResult, askArguments, askResult } from '../contract/tools.ts';
import { checkAskFields, inConversation, readCacheControl } from '../http/ask-request.ts';
import { AskedQuestion } from '../http/asked-question.ts';
import { CallerDisconnectedError } from '../http/raw-request.ts';
import type { McpExchange } from './exchange.ts';
import type { ObservedServer } from './observed-server.ts';
import { listed, toolError, toolResult } from './tool-result.ts';

const askTool = {
  title: 'Ask a question',
  description:
    'Answers a question with a language model, in the light of the chat history of the session. Keep `session_id` of the result, and send it with each follow-up question. An answer may come from a cache: `cached` says so.',
  inputSchema: listed(askArguments),
  outputSchema: listed(askResult),
  // It stores chat history, and deletes it with `new_conversation`. The model is a service outside.
  annotations: { readOnlyHint: false, destructiveHint: true, idempotentHint: false, openWorldHint: true },
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
  const { services, invocation, log, signal } = exchange;
  const asked = new AskedQuestion(services, {
    invocation: { ...invocation, log },
    signal,
    disconnected: leaving(call),
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

/** Aborts when the caller has disconnected, or has cancelled the request. */
function leaving({ exchange, context }: Call): AbortSignal {
  const left = new AbortController();
  const leave = () => left.abort(new CallerDisconnectedError());
  for (const signal of [exchange.caller.disconnected, context.mcpReq.signal]) {
    if (signal.aborted) leave();
    signal.addEventListener('abort', leave, { once: true });
  }
  return left.signal;
}

/** Validates the arguments. @throws AskError that says what is wrong. */
function toQuestion({ exchange, context }: Call, args: Record<string, unknown>): Question {
  return {
    ...inConversation(checkAskFields(args, exchange.services.config.maxQuestionChars)),
    cacheControl: readCacheControl(null),
    userId: exchange.userId,
    idempotencyKey: undefined,
    stream: context.mcpReq._meta?.progressToken !== undefined,
  };
}

/** Answers the question. Its text is sent piece by piece as progress. */
async function withProgress(
  { exchange, context }: Call,
  asked: AskedQuestion,
  question: Question,
): Promise<Answer> {
  const { signal, caller } = exchange;
  const { _meta: meta, signal: cancelled } = context.mcpReq;
  const progressToken = meta?.progressToken ?? '';
  // The number of characters so far: progress has to grow, and the length of the answer is not known before its end.
  let progress = 0;
  for await (const event of asked.events(question)) {
    if (event.type === 'done') return event.answer;
    if (caller.disconnected.aborted || cancelled.aborted) continue;
    progress += event.text.length;
    const params = { progressToken, progress, message: event.text };
    await context.mcpReq.notify({ method: 'notifications/progress', params });
    await caller.ready(signal);
  }
  throw errors.internal(new Error('the answer ended without the event "done"'));
}

function toResult({ answer, session_id, finish_reason, performance_metrics }: Answer): CallToolResult {
  const result: AskResult = {
    answer,
    session_id,
    finish_reason,
    cached: performance_metrics.from_cache,
    performance_metrics,
  };
  const notes = finish_reason === 'length' ? ['The answer was cut at the output limit.'] : [];
  return toolResult(result, answer, ...notes, `session_id: ${session_id}`);
}
