/** An answer as a chat completion, and as the chunks of a stream: platform.openai.com/docs/api-reference/chat */
import { openAiErrorBody } from '../contract/openai-error.ts';
import type { Answer } from '../contract/responses.ts';
import type { TokenUsage } from '../model/completion.ts';
import type { QuestionRecord } from '../telemetry/question-record.ts';
import type { EventFormat } from '../http/ask-stream.ts';
import type { ChatQuestion } from './chat-request.ts';
import { toCallersError } from './error-response.ts';

/** Gives the body of an answer that is not streamed. */
export function toChatCompletion(answer: Answer, question: ChatQuestion, record: QuestionRecord) {
  const isRefusal = answer.finish_reason === 'refusal';
  const usage = usageOf(record);
  return {
    ...headOf(question, record, 'chat.completion'),
    choices: [
      {
        index: 0,
        message: {
          role: 'assistant',
          content: isRefusal ? null : answer.answer,
          refusal: isRefusal ? answer.answer : null,
        },
        logprobs: null,
        finish_reason: finishReasonOf(answer),
      },
    ],
    ...(usage && { usage: toUsage(usage) }),
    ...metricsOf(answer, question),
  };
}

/** Writes an answer as chunks. */
export function toChunks(question: ChatQuestion, record: QuestionRecord): EventFormat<Answer> {
  let head = {};
  const chunk = (choices: object[], more: object = {}): string =>
    dataEvent({ ...head, choices, ...(question.includesUsage && { usage: null }), ...more });
  return {
    opening() {
      // By now it is known whether the answer is a cached one, and then also its model.
      head = headOf(question, record, 'chat.completion.chunk');
      return chunk(choice({ role: 'assistant', content: '' }));
    },
    token: (content) => chunk(choice({ content })),
    done(answer) {
      const usage = usageOf(record);
      const metrics = metricsOf(answer, question);
      const hasUsage = question.includesUsage && usage !== null;
      const last = chunk(choice({}, finishReasonOf(answer)), hasUsage ? {} : metrics);
      const counts = hasUsage ? chunk([], { usage: toUsage(usage), ...metrics }) : '';
      return `${last}${counts}data: [DONE]\n\n`;
    },
    error: (error) => dataEvent(openAiErrorBody(toCallersError(error, question))),
  };
}

const dataEvent = (data: object): string => `data: ${JSON.stringify(data)}\n\n`;

const choice = (delta: object, finishReason: string | null = null) => [
  { index: 0, delta, finish_reason: finishReason },
];

/** The model is the one that answered, with its version, as soon as it is known. */
const headOf = ({ model }: ChatQuestion, record: QuestionRecord, object: string) => ({
  id: `chatcmpl-${record.invocationId}`,
  object,
  created: Math.floor(Date.now() / 1000),
  model: record.model ?? model,
});

/** A refusal is complete too. */
const finishReasonOf = ({ finish_reason: reason }: Answer): string =>
  reason === 'length' ? 'length' : 'stop';

/** The token counts of an answer, of a cached one those of its model call; null for one that is replayed. */
export function usageOf(record: QuestionRecord): TokenUsage | null {
  if (record.replayed) return null;
  if (record.cache.stale) return record.cache.stale.tokens;
  return record.calls.length > 0 ? record.tokens : record.tokensSaved;
}

const toUsage = ({ prompt, completion, cached, cacheWrite, reasoning }: TokenUsage) => ({
  prompt_tokens: prompt,
  completion_tokens: completion,
  total_tokens: prompt + completion,
  prompt_tokens_details: { cached_tokens: cached, cache_write_tokens: cacheWrite },
  completion_tokens_details: { reasoning_tokens: reasoning },
});

/** Our measurements, for a caller who asks for them. */
export const metricsOf = (
  { performance_metrics: metrics }: Answer,
  { includesMetrics }: Pick<ChatQuestion, 'includesMetrics'>,
) => (includesMetrics ? { x_performance_metrics: metrics } : {});
