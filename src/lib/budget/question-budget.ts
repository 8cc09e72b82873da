/** The budgets of one question: what its attempts reserve and spend in each of them. */
import type { BudgetConfig } from '../config/config.ts';
import type { BudgetLeft, LimitName } from '../contract/metrics.ts';
import { errors } from '../contract/errors.ts';
import { untilAborted } from '../common/pending-work.ts';
import type { CallBudget, Message, Spent } from '../model/completion.ts';
import { costOf, type MostCost, mostCostOf } from '../model/cost.ts';
import type { ModelParameters } from '../model/parameters.ts';
import type { Account } from './account.ts';
import type { PeriodName } from './periods.ts';

/** One limit of the settings: money in the currency of the prices, or questions. */
export interface Limit {
  name: LimitName;
  period: PeriodName;
  /** Each user has an own one. */
  isCallers: boolean;
  amount: number;
}

/** Accounts have whole amounts: billionths of the currency, so that sums are exact. */
const UNITS = 1e9;
const NO_COST: MostCost = { prompt: 0, answer: 0 };

const isMoney = ({ name }: Limit): boolean => name !== 'caller_minute';

/** What an account counts, of an amount of money or of questions. */
export const toUnits = (limit: Limit): number =>
  isMoney(limit) ? Math.floor(limit.amount * UNITS) : limit.amount;

/** The limits for questions of a user: those of the app only, when the user is null. */
export function limitsFor(config: BudgetConfig, userId: string | null): Limit[] {
  const { caller, app, callerQuestionsPerMinute } = config;
  const all: [LimitName, PeriodName, number | undefined][] = [
    ['caller_minute', 'minute', callerQuestionsPerMinute],
    ['caller_day', 'day', caller.day],
    ['caller_month', 'month', caller.month],
    ['app_day', 'day', app.day],
    ['app_month', 'month', app.month],
  ];
  return all.flatMap(([name, period, amount]) => {
    const isCallers = name.startsWith('caller');
    return amount === undefined || (isCallers && userId === null) ? [] : { name, period, isCallers, amount };
  });
}

/** A part of a reservation. */
interface Part {
  limit: Limit;
  account: Account;
  amount: number;
}

/** The budgets of one question. */
export class QuestionBudget implements CallBudget {
  readonly #prices: BudgetConfig['prices'];
  readonly #limits: Limit[];
  readonly #accountOf: (limit: Limit) => Account;
  /** The accounts of the last reservation. */
  readonly #known = new Map<Limit, Account>();
  #isCounted = false;

  constructor(config: BudgetConfig, limits: Limit[], accountOf: (limit: Limit) => Account) {
    this.#prices = config.prices;
    this.#limits = limits;
    this.#accountOf = accountOf;
  }

  get needsOutputLimit(): boolean {
    return this.#limits.some(isMoney);
  }

  /** What is left, as far as this process knows; undefined before the first reservation. */
  get left(): BudgetLeft | undefined {
    if (this.#known.size === 0) return undefined;
    return Object.fromEntries(
      [...this.#known].map(([limit, { left, endsAt }]) => [
        limit.name,
        {
          limit: limit.amount,
          remaining: isMoney(limit) ? left / UNITS : left,
          renews_at: new Date(endsAt).toISOString(),
        },
      ]),
    );
  }

  /**
   * Reserves in all budgets side by side. A question counts once in the limit of questions, whatever its attempts.
   * @throws AskError `budget_exceeded`, `rate_limited` or `budget_unavailable`, or the reason of the signal.
   */
  async reserve(
    prompt: Message[],
    parameters: ModelParameters,
    signal: AbortSignal,
  ): Promise<(spent: Spent) => void> {
    const most = this.#prices ? mostCostOf(this.#prices, prompt, parameters) : NO_COST;
    const limits = this.#isCounted ? this.#limits.filter(isMoney) : this.#limits;
    const parts = limits.map((limit): Part => {
      const amount = isMoney(limit) ? Math.ceil((most.prompt + most.answer) * UNITS) : 1;
      return { limit, account: this.#accountOf(limit), amount };
    });
    const reserving = reserveAll(parts);
    try {
      await untilAborted(reserving, signal);
    } catch (error) {
      reserving.then(
        () => settleAll(parts, 0),
        () => {},
      );
      throw error;
    }
    this.#isCounted = true;
    for (const { limit, account } of parts) this.#known.set(limit, account);
    settleAll(
      parts.filter(({ limit }) => !isMoney(limit)),
      1,
    );
    const money = parts.filter(({ limit }) => isMoney(limit));
    return (spent) => settleAll(money, Math.ceil(this.#costOf(spent, most) * UNITS));
  }

  #costOf(spent: Spent, most: MostCost): number {
    if (spent === 'nothing') return 0;
    if (spent === 'prompt') return most.prompt;
    const prices = this.#prices;
    if (spent === 'everything' || !prices) return most.prompt + most.answer;
    return spent.reduce((sum, usage) => sum + costOf(prices, usage), 0);
  }
}

/** Reserves all parts or none. @throws AskError that names the budget that renews last. */
async function reserveAll(parts: Part[]): Promise<void> {
  const outcomes = await Promise.allSettled(parts.map(({ account, amount }) => account.reserve(amount)));
  const isGranted = (outcome: (typeof outcomes)[number] | undefined): boolean =>
    outcome?.status === 'fulfilled' && outcome.value;
  if (outcomes.every(isGranted)) return;
  settleAll(
    parts.filter((_, index) => isGranted(outcomes[index])),
    0,
  );
  const refused = parts
    .filter((_, index) => outcomes[index]?.status === 'fulfilled' && !isGranted(outcomes[index]))
    .toSorted((a, b) => a.account.endsAt - b.account.endsAt)
    .at(-1);
  if (refused) throw refusal(refused);
  const failed = outcomes.find((outcome) => outcome.status === 'rejected');
  throw errors.budgetUnavailable(failed?.reason);
}

function refusal({ limit: { name, amount }, account }: Part) {
  return name === 'caller_minute'
    ? errors.rateLimited(amount, account.endsAt)
    : errors.budgetExceeded(name, account.endsAt);
}

function settleAll(parts: Part[], spent: number): void {
  for (const { account, amount } of parts) account.settle(amount, spent);
}
