/** A call of the model: its prompt, what is recorded of it, and its completion. */
import { type ConnectionRecord, createConnectionRecord } from '../pool/connection-record.ts';
import type { ModelParameters, ModelOverrides } from './parameters.ts';

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

/** What the reader of an answer is told while it is being made. */
export interface AnswerReader {
  /** Called with each piece of the text. When undefined, the model is not asked for a stream. */
  onText?: ((text: string) => void) | undefined;
  /** Called when a rate limit of the model is waited out for a second or longer, with the time left in milliseconds. */
  onWait?: ((ms: number) => void) | undefined;
}

/** What an attempt has cost: its completions, its prompt alone, all that was reserved (also when it is not known), or nothing. */
export type Spent = TokenUsage[] | 'prompt' | 'everything' | 'nothing';

/** Pays for the attempts of a call. */
export interface CallBudget {
  /** Without a limit of the output there is no reservation: a request must not be sent without it. */
  readonly needsOutputLimit: boolean;
  /**
   * Reserves what one attempt costs at most. Gives the function that ends the reservation, to be called once; what it does
   * not spend is free again. @throws AskError when too little is left, or the reason of the signal.
   */
  reserve(
    prompt: Message[],
    parameters: ModelParameters,
    signal: AbortSignal,
  ): Promise<(spent: Spent) => void>;
}

/** What a call depends on, whoever made it. */
export interface CallContext extends AnswerReader {
  /** Aborts the call, which then rejects with the signal's reason. */
  signal: AbortSignal;
  /** End of the request timeout, on the clock of `performance.now()`. A retry that would start later is not made. */
  deadline: number;
  /** The same for all calls whose prompts begin alike. Not sent to a model that does not take it. */
  promptCacheKey?: string | undefined;
  /** What the caller wants in place of the settings. */
  overrides?: ModelOverrides | undefined;
  /** Undefined when no budget is set. */
  budget?: CallBudget | undefined;
}

/** One call, with what was observed of it. Times by `performance.now()`. */
export interface CallRecord {
  prompt: Message[];
  streamed: boolean;
  connection: ConnectionRecord;
  startedAt: number;
  firstTokenAt: number | null;
  /** Null until the call ends. */
  endedAt: number | null;
  /** The last completion, also one that is not a usable answer; null while there is none. */
  completion: Completion | null;
  /** Sum over all completions of the call: a rejected completion, such as an empty one, has to be paid for too. */
  tokens: TokenUsage;
  /** The tokens of each completion. */
  usages: TokenUsage[];
  /** Null unless the call failed: the code of the AskError, or the name of another error. */
  error: string | null;
}

/** Creates the record of a call that begins now. */
export const beginCall = (prompt: Message[], streamed: boolean): CallRecord => ({
  prompt,
  streamed,
  connection: createConnectionRecord(),
  startedAt: performance.now(),
  firstTokenAt: null,
  endedAt: null,
  completion: null,
  tokens: noTokens(),
  usages: [],
  error: null,
});

/** Notes a completion of `call`, whose tokens are billed. */
export function addCompletion(call: CallRecord, completion: Completion): void {
  call.completion = completion;
  addTokens(call.tokens, completion.tokens);
  call.usages.push(completion.tokens);
}

export const noTokens = (): TokenUsage => ({
  prompt: 0,
  completion: 0,
  cached: 0,
  cacheWrite: 0,
  reasoning: 0,
});

/** Adds tokens to `sum`, in place. */
export function addTokens(sum: TokenUsage, tokens: TokenUsage): void {
  const { prompt, completion, cached, cacheWrite, reasoning } = tokens;
  sum.prompt += prompt;
  sum.completion += completion;
  sum.cached += cached;
  sum.cacheWrite += cacheWrite;
  sum.reasoning += reasoning;
}
