/** The prompts and completions of the model. */
import type { ModelParameters } from './parameters.ts';

/** One message of a prompt, in LangChain's format: role and text. */
export type Message = ['system' | 'human' | 'ai', string];

/** A response of the model. */
export interface Completion {
  /** May be empty. */
  text: string;
  /** `stop` when the model completed its answer; empty when the model gave none. */
  finishReason: string;
  tokens: TokenUsage;
  /** Id that the model gave the completion. */
  id: string | undefined;
  /** Name and version of the model that answered. */
  model: string | undefined;
  /** What the request was sent to, and with which parameters. */
  target: ModelTarget;
}

/** The deployment and the parameters of a request. The answer depends on both. */
export interface ModelTarget {
  deployment: string;
  parameters: ModelParameters;
}

/** Token counts of the model. */
export interface TokenUsage {
  prompt: number;
  completion: number;
  /** The part of `prompt` that was in the model's prompt cache. */
  cached: number;
  /** The part of `prompt` that was written to the model's prompt cache; 0 for models that do not bill it. */
  cacheWrite: number;
  /** The part of `completion` that was reasoning, which is never shown. */
  reasoning: number;
}
