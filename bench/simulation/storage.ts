/** Table Storage with its limits, and the app's client of it: one retry, as src/lib/history/table-client.ts sets. */
import { TokenBucket } from './bucket.ts';
import type { Activity, Clock } from './events.ts';
import type { Random } from './random.ts';
import type { RunRecord } from './run-record.ts';
import type { Scenario } from './scenario.ts';

/** Base of the SDK's wait before a retry. It waits between half of it and all of it. */
const RETRY_MS = 100;

/** The accounts of a deployment. A session is in one partition of one account. */
export class Storage {
  readonly #clock: Clock;
  readonly #record: RunRecord;
  readonly #random: Random;
  readonly #accounts: TokenBucket[];
  /** The partition of the session that many questions share. */
  readonly #hotPartition: TokenBucket;

  constructor(clock: Clock, record: RunRecord, random: Random, { storage, slice }: Scenario) {
    this.#clock = clock;
    this.#record = record;
    this.#random = random;
    // A bucket of one second. Azure does not document the period.
    const bucket = (limit: number): TokenBucket => new TokenBucket(clock, limit / slice, limit / slice);
    this.#accounts = Array.from({ length: storage.accounts }, () => bucket(storage.accountLimit));
    this.#hotPartition = bucket(storage.partitionLimit);
  }

  /**
   * Makes a call that reads or writes `units` entities of 1 KiB of the session, and is retried once after a 503. Gives
   * the time of the successful request without the waits, or null when both attempts failed.
   */
  *call(session: { account: number; isHot: boolean }, units: number, ms: number): Activity<number | null> {
    for (let retries = 0; ; retries++) {
      this.#record.storageCalls++;
      const refusal = this.#refusal(session, units);
      yield this.#clock.wait(ms);
      if (refusal === null) return ms;
      this.#record.meet(refusal, this.#clock.now);
      if (retries === 1) return null;
      yield this.#clock.wait(RETRY_MS * (0.5 + 0.5 * this.#random.next()));
    }
  }

  #refusal(
    { account, isHot }: { account: number; isHot: boolean },
    units: number,
  ): 'storage account' | 'storage partition' | null {
    if (isHot && !this.#hotPartition.take(units)) return 'storage partition';
    return this.#accounts[account]?.take(units) === true ? null : 'storage account';
  }
}
