/** What the search for an answer works with: the question, its prompt, and its place in the cache. */
import type { AnswerCache } from '../cache/answer-cache.ts';
import type { Config } from '../config/config.ts';
import type { ProcessMetrics } from '../metrics/process-metrics.ts';
import type { Completion, Message, ModelTarget } from '../model/completion.ts';
import type { ResilientModel } from '../model/resilient-model.ts';
import type { Question, QuestionContext } from './question.ts';

/** What an answer finder needs. */
export interface FinderParts {
  /** Null when ANSWER_CACHE_TTL_SECONDS is 0. */
  cache: AnswerCache | null;
  model: ResilientModel;
  metrics: ProcessMetrics;
  config: Config;
}

/** A question, and the prompt for the model. */
export interface Lookup {
  question: Question;
  prompt: Message[];
  context: QuestionContext;
  /** Aborts when the new conversation could not be begun. Ends this question, but not a model call that others share. */
  resetFailed: AbortSignal;
  /** Called with the text: piece by piece for a streamed question, otherwise at once. */
  onToken: (text: string) => void;
}

/** The answer of a model call that several questions share. */
export type SharedAnswer = Pick<Completion, 'text' | 'tokens'> & { model?: string | undefined };

/** The place of a question's answer in the cache. */
export interface CachePlan {
  cache: AnswerCache;
  key: string;
  /** The deployment and the parameters of `key`. */
  target: ModelTarget;
  /** Gives the key for another deployment or other parameters. */
  keyFor: (target: ModelTarget) => string;
}
