/**
 * One budget in one period, as this process spends it. The process draws from the ledger a little more than its questions
 * need, reserves from what it has in hand, and gives back what it does not use. Rejected: shards of a budget, each with
 * its own limit, which strand what is left in each of them.
 */
import { type Ledger } from '../history/ledger.ts';

/**
 * Beside what its questions need, a process draws this part of what is left. So the row of a busy app is written once
 * for many questions, and a thousand processes together hold less than two thirds of a budget that nobody has spent.
 */
const SPARE_SHARE = 1 / 1024;

interface Waiting {
  amount: number;
  granted: (isGranted: boolean) => void;
  failed: (error: unknown) => void;
}

/** What is given to whom. */
interface Plan {
  drawn: number;
  granted: Set<Waiting>;
}

/** A budget in one period. Amounts are whole: billionths of the currency, or questions. */
export class Account {
  readonly limit: number;
  /** End of the period, in milliseconds since 1970. */
  readonly endsAt: number;
  readonly #ledger: Ledger;
  /** Drawn from the ledger and not reserved. Negative when an answer cost more than was reserved for it. */
  #inHand = 0;
  /** The lowest value of `#inHand` since the last look: so much was not needed. */
  #lowest = 0;
  #reserved = 0;
  #wasUsed = false;
  #waiting: Waiting[] = [];
  #surplus = 0;
  #working: Promise<void> | undefined;

  constructor(ledger: Ledger, limit: number, endsAt: number) {
    this.#ledger = ledger;
    this.limit = limit;
    this.endsAt = endsAt;
  }

  /** What this process knows to be left: what other processes have in hand counts as spent. */
  get left(): number {
    return Math.max(0, this.limit - this.#ledger.spent + this.#inHand);
  }

  /** Nothing is reserved, in hand, or on its way. */
  get isIdle(): boolean {
    return this.#reserved === 0 && this.#inHand === 0 && !this.#working && !this.#ledger.isUnclear;
  }

  /** No question has anything reserved. */
  get isSettled(): boolean {
    return this.#reserved === 0 && !this.#working;
  }

  /** Reserves an amount; false when less is left. @throws StorageError, or another error of the ledger. */
  reserve(amount: number): Promise<boolean> {
    this.#wasUsed = true;
    if (!this.#working && this.#inHand >= amount) {
      this.#take(amount);
      return Promise.resolve(true);
    }
    return new Promise((granted, failed) => {
      this.#waiting.push({ amount, granted, failed });
      this.#work().catch(() => {});
    });
  }

  /** Ends a reservation: `spent` of it is spent, the rest can be reserved again. */
  settle(reserved: number, spent: number): void {
    this.#reserved -= reserved;
    this.#put(reserved - spent);
  }

  /**
   * Gives back to the ledger what was not needed since the last call; `all`: also what may be needed soon. @throws
   * StorageError, or another error of the ledger; the next call tries again.
   */
  async giveBack(all: boolean): Promise<void> {
    const kept = this.#wasUsed && !all ? this.#spare(this.#ledger.spent) : 0;
    const surplus = all || this.#inHand < 0 ? this.#inHand : Math.max(0, this.#lowest - kept);
    this.#wasUsed = false;
    this.#lowest = this.#inHand;
    this.#surplus = surplus;
    if (surplus !== 0 || this.#ledger.isUnclear) await this.#work();
  }

  #take(amount: number): void {
    this.#put(-amount);
    this.#reserved += amount;
  }

  #put(amount: number): void {
    this.#inHand += amount;
    this.#lowest = Math.min(this.#lowest, this.#inHand);
  }

  #spare(spent: number): number {
    return Math.floor(Math.max(0, this.limit - spent) * SPARE_SHARE);
  }

  /** Changes the ledger as long as something waits: one change for all that wait at a time. */
  #work(): Promise<void> {
    return (this.#working ??= this.#workOff());
  }

  async #workOff(): Promise<void> {
    let failure: unknown;
    do {
      const waiting = this.#waiting;
      this.#waiting = [];
      try {
        await this.#clear();
        await (waiting.length > 0 ? this.#draw(waiting) : this.#return());
      } catch (error) {
        if (waiting.length === 0) failure = error;
        for (const { failed } of waiting) failed(error);
      }
    } while (this.#waiting.length > 0 || this.#surplus !== 0);
    // In the same turn as the look above, so that whoever comes next starts again.
    this.#working = undefined;
    if (failure) throw failure;
  }

  /** Finds out what became of a change whose response did not come. */
  async #clear(): Promise<void> {
    const cleared = this.#ledger.isUnclear && (await this.#ledger.clear());
    if (!cleared) return;
    const { amount, counts } = cleared;
    // What was drawn is in hand if it counts. What was given back is in hand again if it does not.
    if (counts === amount > 0) this.#put(Math.abs(amount));
  }

  async #draw(waiting: Waiting[]): Promise<void> {
    let plan: Plan = { drawn: 0, granted: new Set() };
    await this.#ledger.add((spent, isFresh) => {
      plan = this.#plan(waiting, spent);
      return plan.granted.size < waiting.length && !isFresh ? null : plan.drawn;
    });
    this.#put(plan.drawn);
    for (const each of waiting) {
      const isGranted = plan.granted.has(each);
      if (isGranted) this.#take(each.amount);
      each.granted(isGranted);
    }
  }

  #plan(waiting: Waiting[], spent: number): Plan {
    const left = Math.max(0, this.limit - spent);
    const wanted = waiting.reduce((sum, { amount }) => sum + amount, 0);
    const drawn = wanted + this.#spare(spent) - Math.min(0, this.#inHand);
    if (drawn <= left) return { drawn, granted: new Set(waiting) };
    // Near its end: in the order of asking, those for whom there is enough, and nothing beside.
    let available = left + this.#inHand;
    const granted = new Set<Waiting>();
    for (const each of waiting) {
      if (each.amount > available) continue;
      available -= each.amount;
      granted.add(each);
    }
    const needed = [...granted].reduce((sum, { amount }) => sum + amount, 0);
    return { drawn: Math.max(0, needed - this.#inHand), granted };
  }

  /** Gives back the surplus, or pays for answers that cost more than was reserved for them. */
  async #return(): Promise<void> {
    const surplus = Math.min(this.#surplus, this.#inHand);
    this.#surplus = 0;
    if (surplus < 0) this.#put(await this.#ledger.add(() => -surplus));
    if (surplus <= 0) return;
    // Before it is given back, so that no question takes it meanwhile.
    this.#put(-surplus);
    try {
      await this.#ledger.add(() => -surplus);
    } catch (error) {
      if (!this.#ledger.isUnclear) this.#put(surplus);
      throw error;
    }
  }
}
