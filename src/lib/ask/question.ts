/** A question, and the context in which it is answered. */
import type { QuestionRecord } from '../telemetry/question-record.ts';
import type { CallContext, Message } from '../model/completion.ts';
import type { ModelOverrides } from '../model/parameters.ts';

/** A validated question. */
export interface Question {
  text: string;
  sessionId: string;
  /** The request had no session id, so `sessionId` was generated for it. */
  isNewSession: boolean;
  /** Begin a new conversation: the session's history is forgotten. */
  newConversation: boolean;
  /** Position of the interaction whose place this one takes: it is answered with the history before it. */
  replaces: string | undefined;
  cacheControl: CacheControl;
  /** Null when the caller is not signed in. */
  userId: string | null;
  /** From the header `Idempotency-Key`: a repeated question with the same key is answered once. */
  idempotencyKey: string | undefined;
  /** Where the text of a repeated question's answer begins, in UTF-16 code units: the caller has what is before. */
  textFrom: number;
  /** Send the answer as a stream of events. */
  stream: boolean;
  /** The whole prompt, from a caller who keeps the conversation: nothing is read from a session, and nothing is stored. */
  prompt?: Message[] | undefined;
  /** False: nothing is added to the session. */
  isStored?: boolean | undefined;
  /** A UUID for the interaction, by which a branch can begin at it. */
  interactionId?: string | undefined;
  /** Instructions of the caller, which follow the system prompt of the settings. */
  instructions?: string | undefined;
  /** What the caller wants of the model, in place of the settings. */
  overrides?: ModelOverrides | undefined;
  /** In place of the key of the session. */
  promptCacheKey?: string | undefined;
}

/** How a question may use the cache. */
export interface CacheControl {
  /** Do not read from the cache, but store the model's answer. */
  noCache: boolean;
  /** Neither read from the cache nor store the answer. */
  noStore: boolean;
  /** Maximum age of a cached answer, in milliseconds. */
  maxAgeMs: number;
  /** How long after its expiry a cached answer may be used when the model fails, in milliseconds. */
  staleIfErrorMs: number;
  /** Answer from the cache or not at all. */
  onlyIfCached: boolean;
}

/**
 * The context in which a question is answered, from the handler to the model. `signal` aborts at the deadline or when the
 * process stops; the reason is the error for the caller. `onText` is given for a streamed question only.
 */
export interface AskContext extends CallContext {
  record: QuestionRecord;
  /** Aborts when the caller disconnects. */
  disconnected: AbortSignal;
  /** Aborts when the caller no longer wants the answer, which then ends as if it was stopped at its address. */
  cancelled?: AbortSignal | undefined;
  /** The generation of the user's cached answers; undefined when answers are cached for all. Rejects when storage fails. */
  userGeneration?: Promise<number> | undefined;
  warn: (message: string) => void;
}
