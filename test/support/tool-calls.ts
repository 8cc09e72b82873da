/** Calls of a function by the model, in the shapes of both APIs: platform.openai.com/docs/guides/function-calling */
import type { Answer } from './model-stand-in.ts';

const ID = 'call_8KqW';
const MODEL = 'gpt-4o-2024-11-20';

/** The answers that call `name`: whole, and streamed in pieces. */
export function toolCall(
  api: 'chat' | 'responses',
  name: string,
  args: object,
): { whole: Answer; pieces: Answer } {
  const text = JSON.stringify(args);
  return api === 'chat' ? inChat(name, text) : inResponses(name, text);
}

const head = { id: 'chatcmpl-1', created: 1, model: MODEL, system_fingerprint: 'fp_1' };
const USAGE = { prompt_tokens: 20, completion_tokens: 8, total_tokens: 28 };

const more = (text: string) => ({ index: 0, function: { arguments: text } });

function inChat(name: string, args: string): { whole: Answer; pieces: Answer } {
  const call = { id: ID, type: 'function', function: { name, arguments: args } };
  const message = { role: 'assistant', content: null, refusal: null, tool_calls: [call] };
  const piece = (delta: object, finish_reason: string | null = null) => ({
    ...head,
    object: 'chat.completion.chunk',
    choices: [{ index: 0, delta, logprobs: null, finish_reason }],
  });
  const half = Math.floor(args.length / 2);
  return {
    whole: {
      body: {
        ...head,
        object: 'chat.completion',
        choices: [{ index: 0, message, logprobs: null, finish_reason: 'tool_calls' }],
        usage: USAGE,
      },
    },
    pieces: {
      events: [
        { choices: [], created: 0, id: '', model: '', object: '', prompt_filter_results: [] },
        piece({
          role: 'assistant',
          content: null,
          tool_calls: [{ index: 0, ...call, function: { name, arguments: '' } }],
        }),
        // Two pieces of one call in one event, as vLLM sends them when tokens come together: its serving_chat.py.
        piece({ tool_calls: [more(args.slice(0, 1)), more(args.slice(1, half))] }),
        piece({ tool_calls: [more(args.slice(half))] }),
        piece({}, 'tool_calls'),
        { ...head, object: 'chat.completion.chunk', choices: [], usage: USAGE },
      ],
    },
  };
}

function inResponses(name: string, args: string): { whole: Answer; pieces: Answer } {
  const item = { id: 'fc_1', type: 'function_call', status: 'completed', call_id: ID, name, arguments: args };
  const response = {
    id: 'resp_1',
    object: 'response',
    created_at: 1,
    status: 'completed',
    error: null,
    incomplete_details: null,
    model: MODEL,
    output: [item],
    usage: {
      input_tokens: 20,
      input_tokens_details: { cached_tokens: 0 },
      output_tokens: 8,
      output_tokens_details: { reasoning_tokens: 0 },
      total_tokens: 28,
    },
  };
  const started = { ...response, status: 'in_progress', output: [], usage: null };
  const place = { item_id: item.id, output_index: 0 };
  const half = Math.floor(args.length / 2);
  const delta = (text: string) => ({ type: 'response.function_call_arguments.delta', ...place, delta: text });
  return {
    whole: { body: response },
    pieces: {
      events: [
        { type: 'response.created', response: started },
        {
          type: 'response.output_item.added',
          output_index: 0,
          item: { ...item, arguments: '', status: 'in_progress' },
        },
        delta(args.slice(0, half)),
        delta(args.slice(half)),
        { type: 'response.function_call_arguments.done', ...place, arguments: args },
        { type: 'response.output_item.done', output_index: 0, item },
        { type: 'response.completed', response },
      ],
    },
  };
}
