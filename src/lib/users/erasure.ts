/**
 * Erasures: everything that is kept of a user is deleted. A row says that an erasure has begun, and whose; it is removed at
 * the end. Whoever finds it goes on: a repeated request on any instance, or the timer. Rejected: a lease for the row, because
 * two instances that erase the same user only do the same deletions.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { Invocation } from '../common/log.ts';
import type { PendingWork } from '../common/pending-work.ts';
import { RowConflictError, type RowStore } from '../history/row-store.ts';
import { digest } from '../history/session-rows.ts';

/** What one part of the app keeps of users. */
export interface UserData {
  /**
   * Deletes what is kept of a user since before `startedAt`, when the erasure began, in milliseconds since 1970; it may keep
   * what came later. May be called again for the same user. Rejects when something may be left.
   */
  erase(userId: string, startedAt: number): Promise<void>;
  /** Gives what is kept of a user as objects for JSON, each with a `type`, one by one from storage. */
  export(userId: string): AsyncIterable<UserRecord>;
}

/** An object of an export. */
export type UserRecord = { type: string } & Record<string, unknown>;

/** An erasure that has begun. */
export interface ErasureState {
  state: 'erasing' | 'erased';
  /** In milliseconds since 1970. */
  startedAt: number;
}

/** What {@link Erasures} needs. */
export interface ErasureParts {
  store: RowStore;
  /** All that is kept of users, in the order in which it is deleted. */
  userData: readonly UserData[];
  /** Takes erasures that nobody waits for any more. */
  pending: PendingWork;
  warn: (message: string) => void;
}

/** The partition with a row for each erasure in progress. Its key is a digest of the user. */
const PARTITION = 'erasures';
/** The timer leaves younger erasures to the process that has begun them. */
const RESUME_AFTER_MS = 120_000;

/** The erasures of all users. */
export class Erasures {
  readonly #parts: ErasureParts;
  /** Those of this process. */
  readonly #running = new Map<string, Promise<ErasureState>>();

  constructor(parts: ErasureParts) {
    this.#parts = parts;
  }

  /**
   * Deletes everything that is kept of a user. Gives its state when it is done, or after `waitMs` milliseconds; it then goes
   * on in the background. Rejects when a part could not be deleted: the timer tries again, and so does the next call.
   */
  async erase(userId: string, waitMs: number): Promise<ErasureState> {
    const startedAt = Date.now();
    const erasing = this.#running.get(userId) ?? this.#start(userId, startedAt);
    const waiting = new AbortController();
    const late = delay(waitMs, { state: 'erasing', startedAt } as const, { signal: waiting.signal });
    late.catch(() => {});
    try {
      return await Promise.race([erasing, late]);
    } finally {
      waiting.abort();
    }
  }

  /** Goes on with erasures that were interrupted or have failed. Never rejects. */
  async resume(log: Invocation['log']): Promise<void> {
    try {
      for (const { properties } of await this.#parts.store.list(PARTITION)) {
        const userId = String(properties['userId']);
        const startedAt = Number(properties['startedAt']);
        if (startedAt > Date.now() - RESUME_AFTER_MS) continue;
        const erasing = this.#running.get(userId) ?? this.#start(userId, startedAt);
        // The reason of a failure was logged. It must not keep the others waiting.
        const isDone = await erasing.then(
          () => true,
          () => false,
        );
        if (isDone) log.info('erasure: one that was interrupted is done');
      }
    } catch {
      // Storage fails, which the purge reports.
    }
  }

  #start(userId: string, startedAt: number): Promise<ErasureState> {
    const { pending, warn } = this.#parts;
    const erasing = this.#run(userId, startedAt).finally(() => this.#running.delete(userId));
    this.#running.set(userId, erasing);
    pending.add(erasing).catch((error: unknown) => {
      warn(`erasure: not complete, it is tried again by the next run of the timer. ${String(error)}`);
    });
    return erasing;
  }

  async #run(userId: string, startedAt: number): Promise<ErasureState> {
    const { store, userData } = this.#parts;
    const key = digest(userId);
    await store.merge(PARTITION, key, { userId, startedAt: String(startedAt) });
    for (const part of userData) await part.erase(userId, startedAt);
    const row = await store.get(PARTITION, key);
    // A later request may be erasing on another instance.
    if (row?.properties['startedAt'] === String(startedAt))
      await store.removeIf(PARTITION, key, row.etag).catch(ignoreConflict);
    return { state: 'erased', startedAt };
  }
}

function ignoreConflict(error: unknown): void {
  if (!(error instanceof RowConflictError)) throw error;
}
