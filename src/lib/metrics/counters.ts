/** What a process counts from its start. */
import type { Cost } from '../contract/metrics.ts';
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
  /** In the currency of the prices; 0 without prices. */
  cost: Cost;
  modelCalls: number;
  modelCallsMs: number;
  reusedConnections: number;
}
