/** What a process counts from its start. */
import type { TokenUsage } from '../model/completion.ts';

/** The values of the counters. */
export interface Counters {
  instanceId: string;
  lookups: number;
  hits: number;
  lookupErrors: number;
  coalesced: number;
  tokensPaid: TokenUsage;
  tokensSaved: TokenUsage;
  modelCalls: number;
  modelCallsMs: number;
  reusedConnections: number;
}
