/** The fields of a request that limit the answer: `stop`, the maximum of tokens, and `n`. */
import { CHARS_PER_TOKEN, type Completion, estimateTokens } from './completions.ts';

/** Applies the limits in the body of a request to an answer. A cut answer has the `finishReason` `length`. */
export function limitOutput(completion: Completion, body: Record<string, unknown>): Completion {
  const stopped = { ...completion, content: beforeStop(completion.content, body['stop']) };
  const limit = limitOf(body);
  const choices = typeof body['n'] === 'number' ? body['n'] : 1;
  return { ...(limit === undefined ? stopped : within(limit, stopped)), choices };
}

/** The text before the first of the sequences. */
function beforeStop(text: string | null, stop: unknown): string | null {
  const sequences = (Array.isArray(stop) ? stop : [stop]).filter(
    (each) => typeof each === 'string' && each !== '',
  );
  const ends = sequences.map((each) => text?.indexOf(each as string) ?? -1).filter((index) => index >= 0);
  return ends.length > 0 ? (text?.slice(0, Math.min(...ends)) ?? null) : text;
}

function limitOf(body: Record<string, unknown>): number | undefined {
  const names = ['max_completion_tokens', 'max_tokens', 'max_output_tokens'];
  return names.map((name) => body[name]).find((value) => typeof value === 'number');
}

/** Reasoning counts too, and comes first. */
function within(limit: number, completion: Completion): Completion {
  const { content, reasoningTokens } = completion;
  const left = limit - reasoningTokens;
  if (left > 0 && estimateTokens(content ?? '') <= left) return completion;
  const text = left > 0 ? content?.slice(0, left * CHARS_PER_TOKEN).replace(/[\ud800-\udbff]$/, '') : '';
  return {
    ...completion,
    content: text ?? null,
    reasoningTokens: Math.min(reasoningTokens, limit),
    finishReason: 'length',
  };
}
