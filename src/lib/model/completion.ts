/** What the model is sent, and what it answers. */
import type { ModelParameters } from './parameters.ts';

/** One message of a prompt, as LangChain takes it. */
export type Message = ['system' | 'human' | 'ai', string];

/** What the model answered. */
export interface Completion {
  /** May be empty. */
  text: string;
  /** `stop` when the model said all it wanted to. */
  finishReason: string;
  tokens: TokenUsage;
  /** What the model calls this answer; undefined when it does not. */
  id: string | undefined;
  /** The model that answered, with its version; undefined when it does not say. */
  model: string | undefined;
  /** With which it was asked. */
  parameters: ModelParameters;
}

/** Tokens that the model counted; `cached` are those of the prompt that it had cached. */
export interface TokenUsage {
  prompt: number;
  completion: number;
  cached: number;
}
