/** An answer as a response, and as the events of a stream: platform.openai.com/docs/api-reference/responses */
import type { Answer } from '../contract/responses.ts';
import type { AskError } from '../contract/errors.ts';
import { openAiErrorBody } from '../contract/openai-error.ts';
import type { TokenUsage } from '../model/completion.ts';
import type { QuestionRecord } from '../telemetry/question-record.ts';
import type { EventFormat } from '../http/ask-stream.ts';
import { metricsOf, usageOf } from './chat-completion.ts';
import { toCallersError } from './error-response.ts';
import type { ResponseQuestion } from './response-request.ts';

/** The only item of the output, and its only part. */
const PLACE = { output_index: 0, content_index: 0 };

/** Gives the body of an answer that is not streamed. */
export function toResponseObject(answer: Answer, question: ResponseQuestion, record: QuestionRecord) {
  const isCut = answer.finish_reason === 'length';
  const usage = usageOf(record);
  return {
    ...headOf(question, record),
    status: isCut ? 'incomplete' : 'completed',
    completed_at: isCut ? null : seconds(Date.now()),
    incomplete_details: isCut ? { reason: 'max_output_tokens' } : null,
    output: [toItem(question, answer)],
    ...(usage && { usage: toUsage(usage) }),
    ...metricsOf(answer, question),
  };
}

/** Writes an answer as events. */
export function toResponseEvents(question: ResponseQuestion, record: QuestionRecord): EventFormat<Answer> {
  let number = 0;
  const event = (type: string, data: object): string =>
    `event: ${type}\ndata: ${JSON.stringify({ type, sequence_number: number++, ...data })}\n\n`;
  const place = { item_id: itemIdOf(question), ...PLACE };
  return {
    opening() {
      const response = {
        ...headOf(question, record),
        status: 'in_progress',
        incomplete_details: null,
        output: [],
      };
      const item = { ...toItem(question), content: [], status: 'in_progress' };
      return [
        event('response.created', { response }),
        event('response.in_progress', { response }),
        event('response.output_item.added', { output_index: 0, item }),
        event('response.content_part.added', { ...place, part: textPart('') }),
      ].join('');
    },
    token: (delta) => event('response.output_text.delta', { ...place, delta, logprobs: [] }),
    done(answer) {
      const response = toResponseObject(answer, question, record);
      const [item] = response.output;
      // Whether the text is a refusal is known only now, after it was sent as text.
      return [
        event('response.output_text.done', { ...place, text: answer.answer, logprobs: [] }),
        event('response.content_part.done', { ...place, part: textPart(answer.answer) }),
        event('response.output_item.done', { output_index: 0, item }),
        event(`response.${response.status}`, { response }),
      ].join('');
    },
    error: (error) => event('error', toErrorEvent(toCallersError(error, question))),
  };
}

function toErrorEvent(error: AskError): object {
  const { code, message, param } = openAiErrorBody(error).error;
  return { code, message, param };
}

const seconds = (ms: number): number => Math.floor(ms / 1000);

/** What does not depend on the answer. The model is the one that answered, with its version, as soon as it is known. */
function headOf({ id, fields, sessionId, isStored }: ResponseQuestion, record: QuestionRecord) {
  return {
    id,
    object: 'response',
    created_at: seconds(record.arrivedAt),
    error: null,
    instructions: fields.instructions ?? null,
    max_output_tokens: fields.max_output_tokens ?? null,
    metadata: fields.metadata ?? {},
    model: record.model ?? fields.model,
    parallel_tool_calls: true,
    previous_response_id: fields.previous_response_id ?? null,
    ...(isStored && { conversation: { id: sessionId } }),
    reasoning: { effort: fields.reasoning?.effort ?? null, summary: null },
    temperature: fields.temperature ?? null,
    text: { format: fields.text?.format ?? { type: 'text' } },
    tool_choice: 'auto',
    tools: [],
    top_p: fields.top_p ?? null,
    truncation: 'disabled',
  };
}

const itemIdOf = ({ id }: ResponseQuestion): string => id.replace('resp', 'msg');

const textPart = (text: string) => ({ type: 'output_text', text, annotations: [], logprobs: [] });

function toItem(question: ResponseQuestion, answer?: Answer) {
  const text = answer?.answer ?? '';
  const part = answer?.finish_reason === 'refusal' ? { type: 'refusal', refusal: text } : textPart(text);
  return {
    id: itemIdOf(question),
    type: 'message',
    role: 'assistant',
    status: answer?.finish_reason === 'length' ? 'incomplete' : 'completed',
    content: [part],
  };
}

const toUsage = ({ prompt, completion, cached, cacheWrite, reasoning }: TokenUsage) => ({
  input_tokens: prompt,
  input_tokens_details: { cached_tokens: cached, cache_write_tokens: cacheWrite },
  output_tokens: completion,
  output_tokens_details: { reasoning_tokens: reasoning },
  total_tokens: prompt + completion,
});
