/**
 * One model call for identical questions on all instances: who asks, and who waits for the answer in the cache. Rejected:
 * pub/sub for the answer, which needs a second connection, and polling anyway for what it loses.
 */
import type { AnswerCache } from '../cache/answer-cache.ts';
import type { CachedAnswer, CallLeases, Lease } from '../cache/cache-tier.ts';
import { createPauses } from '../common/pending-work.ts';

/** The first pause between two lookups in the cache, and the longest. */
const PAUSE_MS = 10;
const MAX_PAUSE_MS = 125;
/** After so many holders without an answer, the model is called without a lease, so that failures do not queue up. */
const MAX_HOLDERS = 2;

/** What {@link takeTurn} needs. */
export interface TurnOptions {
  cache: AnswerCache;
  leases: CallLeases;
  /** The cache key of the question. */
  key: string;
  /** Time limit of the wait for other instances, in milliseconds. */
  waitMs: number;
  /** Ends the wait. */
  signal: AbortSignal;
}

/** Either the answer of another instance, or our turn to call the model; without a lease when none can be taken. */
export type Turn = { answer: CachedAnswer } | { answer: null; lease: Lease | null };

const WITHOUT_LEASE: Turn = { answer: null, lease: null };

/**
 * Takes the lease of a question. While another instance has it, waits for the answer of that instance. When its holder
 * dies or fails, takes the lease over. @throws the reason of `signal` when it aborts.
 */
export async function takeTurn(options: TurnOptions): Promise<Turn> {
  const { cache, leases, key, waitMs } = options;
  const until = performance.now() + waitMs;
  for (let holders = 0; holders < MAX_HOLDERS; holders++) {
    // Sent together, the lease first: the answer may have been stored and its lease released since the first lookup.
    const taking = leases.take(key);
    const looking = cache.lookUp(key);
    const lease = await taking;
    if (lease === 'unavailable') return WITHOUT_LEASE;
    const found = await looking;
    if (found.result === 'hit') {
      if (lease !== 'held') void lease.release();
      return { answer: found.answer };
    }
    if (lease !== 'held') return { answer: null, lease };
    const outcome = await waitForHolder(options, until);
    if (outcome === 'gave up') return WITHOUT_LEASE;
    if (outcome !== 'ended') return { answer: outcome };
  }
  return WITHOUT_LEASE;
}

/** Waits until the answer is in the cache, or its holder has ended without one, or Redis or the time limit has failed. */
async function waitForHolder(
  { cache, leases, key, signal }: TurnOptions,
  until: number,
): Promise<CachedAnswer | 'ended' | 'gave up'> {
  const pause = createPauses(PAUSE_MS, MAX_PAUSE_MS, signal);
  while (performance.now() < until) {
    await pause();
    signal.throwIfAborted();
    // In this order: a holder stores its answer before it releases the lease.
    const [isHeld, found] = await Promise.all([leases.isHeld(key).catch(() => null), cache.lookUp(key)]);
    if (found.result === 'hit') return found.answer;
    if (isHeld === null) return 'gave up';
    if (!isHeld) return 'ended';
  }
  return 'gave up';
}
