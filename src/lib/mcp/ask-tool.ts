/**
 * The tool `ask`. Rejected: a `resource_link` to the session in its result, of which LangChain's adapters (1.1.4) make a
 * file that `ChatOpenAI` (1.6.0) refuses, and which clients before 2025-06-18 do not know.
 */
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
  // Only these: a field of HTTP that is not listed, such as `new_conversation`, has no effect here.
  const fields = { question: args['question'], session_id: args['session_id'] };
  return {
    ...inConversation(checkAskFields(fields, exchange.services.config.maxQuestionChars)),
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

function toResult({ answer, session_id, finish_reason, performance_metrics }: Answer): CallToolResult {
  const result: AskResult = {
    answer,
    session_id,
    ...(finish_reason && { finish_reason }),
    cached: performance_metrics.from_cache,
  };
  const cut = finish_reason === 'length' ? '; cut at the output limit' : '';
  return toolResult(result, [answer, `session_id: ${session_id}; cached: ${result.cached}${cut}`], {
    [METRICS_META]: performance_metrics,
  });
}
