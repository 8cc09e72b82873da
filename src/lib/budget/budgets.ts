/**
 * Budgets that hold: what a question may cost is reserved before each attempt at the model, on all instances together, and
 * settled by its usage. Without storage there is no reservation, and the question fails (docs/decisions/callers.md).
 */
import { randomUUID } from 'node:crypto';
import type { BudgetConfig } from '../config/config.ts';
import { createRateLimitedWarning } from '../common/log.ts';
import type { PendingWork } from '../common/pending-work.ts';
import { Ledger } from '../history/ledger.ts';
import type { RowStore } from '../history/row-store.ts';
import { Account } from './account.ts';
import { periodAt } from './periods.ts';
import { type Limit, limitsFor, QuestionBudget, toUnits } from './question-budget.ts';

/** After this time, what was not needed is given back. A random part is added, so that processes do not do so together. */
const LOOK_MS = 2000;
/** More accounts than these are forgotten when they are idle: their rows are read again. */
const MAX_ACCOUNTS = 5000;

/** What budgets need. */
export interface BudgetParts {
  store: RowStore;
  /** Takes the work of giving back. */
  pending: PendingWork;
  warn: (message: string) => void;
}

/** The budgets of this process. */
export interface Budgets {
  /** The budgets that a question of this user spends; the app's only, when the user is null. */
  of(userId: string | null): QuestionBudget;
  /** Gives back what is in hand. Call it when no question is in progress. */
  stop(): void;
}

/** Opens the budgets of this process. Nothing is read or written before the first question. */
export function createBudgets(config: BudgetConfig, { store, pending, warn }: BudgetParts): Budgets {
  const accounts = new Map<string, Account>();
  const process = randomUUID().slice(0, 8);
  let writes = 0;
  const nextId = () => `${process}-${(++writes).toString(36)}`;
  const warnOfLoss = createRateLimitedWarning(warn);
  let timer: NodeJS.Timeout | undefined;

  function accountOf(limit: Limit, userId: string | null, now: number): Account {
    const { startsAt, endsAt } = periodAt(limit.period, now);
    const owner = [limit.name, limit.isCallers ? userId : null];
    const id = JSON.stringify([...owner, startsAt]);
    const known = accounts.get(id);
    if (known) return known;
    forgetIdle();
    // A row for each minute would be too many rows.
    const row = limit.period === 'minute' ? periodAt('day', now) : { startsAt, endsAt };
    const name = { parts: [...owner, row.startsAt], startsAt, rowEndsAt: row.endsAt };
    const account = new Account(new Ledger(store, name, nextId), toUnits(limit), endsAt);
    accounts.set(id, account);
    return account;
  }

  function forgetIdle(): void {
    for (const [id, account] of accounts) {
      if (accounts.size < MAX_ACCOUNTS) return;
      if (account.isIdle) accounts.delete(id);
    }
  }

  function look(all: boolean): void {
    const now = Date.now();
    for (const [id, account] of accounts) {
      // What is left of a period that is over is of no use to anybody.
      if (account.endsAt <= now && account.isSettled) accounts.delete(id);
      else if (!account.isIdle)
        pending
          .add(account.giveBack(all))
          .catch(() =>
            warnOfLoss(
              (count) => `Unused budget could not be given back (${count} times): it is tried again.`,
            ),
          );
    }
  }

  /** Looks again while there is anything to look at. */
  function plan(): void {
    timer ??= setTimeout(
      () => {
        timer = undefined;
        look(false);
        if ([...accounts.values()].some(({ isIdle }) => !isIdle)) plan();
      },
      LOOK_MS * (1 + Math.random() / 2),
    ).unref();
  }

  return {
    of: (userId) =>
      new QuestionBudget(config, limitsFor(config, userId), (limit) => {
        plan();
        return accountOf(limit, userId, Date.now());
      }),
    stop() {
      clearTimeout(timer);
      look(true);
    },
  };
}
