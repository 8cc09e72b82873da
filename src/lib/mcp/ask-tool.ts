/** The tool `ask`. */
import type { CallToolResult, ServerContext } from '@modelcontextprotocol/server';
import type { Question } from '../ask/question.ts';
import { readCacheControl } from '../cache/cache-control.ts';
import { errors, toAskError } from '../contract/errors.ts';
import type { Answer } from '../contract/responses.ts';
import { type AskResult, askArguments, askResult } from '../contract/tools.ts';
import { checkAskFields, inConversation } from '../http/ask-request.ts';
import { CallerDisconnectedError } from '../http/raw-request.ts';
import { createQuestionRecord, type QuestionRecord } from '../metrics/question-record.ts';
import { logError } from '../runtime/log.ts';
import { finishQuestion } from '../telemetry/finish-question.ts';
import type { Outcome } from '../telemetry/finished-question.ts';
import type { Exchange } from './exchange.ts';
import type { ObservedServer } from './observed-server.ts';
import { listed, toolResult } from './schema.ts';
import { toolError } from './tool-error.ts';

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
export function registerAskTool(server: ObservedServer, exchange: Exchange): void {
  server.registerTool('ask', askTool, (fields, context) => ask({ server, exchange, context }, fields));
}

interface Call {
  server: ObservedServer;
  exchange: Exchange;
  context: ServerContext;
}

async function ask(call: Call, fields: Record<string, unknown>): Promise<CallToolResult> {
  const { services, invocation, log } = call.exchange;
  const record = createQuestionRecord(invocation.startedAt, invocation.id, services.metrics.takeColdStart());
  const left = leaving(call);
  let question: Question | undefined;
  const end = (outcome: Outcome): void => {
    const finalOutcome = left.aborted ? 'left' : outcome;
    const finished = finishQuestion(services, { outcome: finalOutcome, record, question, invocation }, log);
    if (finished && !call.server.addQuestion(call.context.mcpReq.id, finished))
      services.reporter?.report(finished);
  };
  try {
    question = toQuestion(call, fields);
    services.keepWarm.touch();
    const answer = await answerQuestion(call, question, record, left);
    end('answered');
    return toResult(answer);
  } catch (thrown) {
    const error = toAskError(thrown);
    if (!left.aborted) logError(error, log);
    end(error);
    return toolError(error, question?.sessionId);
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

/** Answers the question. Its text is sent piece by piece as progress when the client wants progress. */
async function answerQuestion(
  { exchange, context }: Call,
  question: Question,
  record: QuestionRecord,
  left: AbortSignal,
): Promise<Answer> {
  const { services, signal, caller, log } = exchange;
  const progressToken = context.mcpReq._meta?.progressToken;
  const warn = (message: string) => log.warn(message);
  // The number of characters so far: progress has to grow, and the length of the answer is not known before its end.
  let progress = 0;
  for await (const event of services.answerer.answer(question, {
    record,
    signal,
    disconnected: left,
    warn,
  })) {
    if (event.type === 'done') return event.answer;
    if (progressToken === undefined || left.aborted) continue;
    progress += event.text.length;
    const params = { progressToken, progress, message: event.text };
    await context.mcpReq.notify({ method: 'notifications/progress', params });
    await caller.ready(signal);
  }
  throw errors.internal(new Error('the answer ended without the event "done"'));
}

function toResult({ answer, session_id, performance_metrics }: Answer): CallToolResult {
  const result: AskResult = {
    answer,
    session_id,
    cached: performance_metrics.from_cache,
    performance_metrics,
  };
  return toolResult(result, answer, `session_id: ${session_id}`);
}
