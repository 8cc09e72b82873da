/** Recognises the refusal of a prompt that is too long: each server has its own code, its own words, or both. */
import { causesFrom } from '../contract/ask-error.ts';

/**
 * Codes and types. OpenAI and Azure: platform.openai.com/docs/guides/error-codes. llama.cpp: ggml-org/llama.cpp pull 15780.
 * GitHub Models: eslint/tsc-meetings pull 593. The other names: earendil-works/pi, packages/ai/src/utils/overflow.ts.
 */
const CODES = new Set([
  'context_length_exceeded',
  'exceed_context_size_error',
  'tokens_limit_reached',
  'request_too_large',
  'model_context_window_exceeded',
]);

/** The status for a body that is too large, whatever its words: github.com/cline/cline/issues/995 (GitHub Models), proxies. */
const TOO_LARGE = 413;

/** Words, for servers without a code of their own. Sources are issues and files on GitHub. */
const WORDS: readonly RegExp[] = [
  // OpenAI, Azure; vLLM and SGLang (vllm-project/vllm#20409); LiteLLM and OpenRouter, which quote the model's server.
  /maximum context length/i,
  /exceeds the context window/i,
  /Input tokens exceed the configured limit/i,
  // LiteLLM: docs.litellm.ai/docs/exception_mapping
  /ContextWindowExceededError/,
  // llama.cpp before it had a type of its own: oobabooga/textgen#7257
  /exceeds the available context size/i,
  // LM Studio: lmstudio-ai/lmstudio-bug-tracker#237, #546 and #2256
  /Trying to keep the first \d+ tokens/i,
  /tokens to keep from the initial prompt is greater than the context length/i,
  // vLLM: xorbitsai/inference#3785, linagora/openrag#128
  /prompt \(length \d+\) is longer than the maximum model length/i,
  // SGLang: QwenLM/Qwen3#1321, sgl-project/sglang#4048
  /is longer than the model's context length/i,
  /Input length \(\d+ tokens\) exceeds the maximum allowed length/i,
  // Text Generation Inference: huggingface/text-generation-inference#628 and #695
  /`inputs` tokens \+ `max_new_tokens` must be <=/i,
  /`inputs` must have less than \d+ tokens/i,
  // Ollama, where it does not truncate: earendil-works/pi, packages/ai/src/utils/overflow.ts
  /prompt too long; exceeded (?:max )?context length/i,
  /input length exceeds the context length/i,
  // Mistral: the same file
  /too large for model with \d+ maximum context length/i,
  // xAI, Groq, Moonshot, oMLX (ValueCell-ai/ClawX#658): the same file
  /maximum prompt length is \d+/i,
  /reduce the length of the messages/i,
  /exceeded model token limit/i,
  /tokens exceeds max context window/i,
];

/** Whether `error` says that the prompt is too long. `status` is the HTTP status of the response; null without one. */
export function isPromptTooLong(error: unknown, status: number | null): boolean {
  // A limit of tokens per minute has similar words.
  if (status === 429) return false;
  return (
    status === TOO_LARGE ||
    causesFrom(error).some(
      ({ code, type, message }) =>
        CODES.has(String(code)) || CODES.has(String(type)) || WORDS.some((words) => words.test(message)),
    )
  );
}
