/** The settings of budgets: money for each caller and for the whole app, and questions per minute. */
import type { Prices } from './model-prices.ts';
import type { SettingsReader } from './settings-reader.ts';

/** Limits in the currency of the prices; undefined without a limit. Days and months are those of UTC. */
export interface MoneyLimits {
  day: number | undefined;
  month: number | undefined;
}

/** The budgets. */
export interface BudgetConfig {
  /** For each caller who is known by a user id. */
  caller: MoneyLimits;
  app: MoneyLimits;
  /** Questions of each caller per minute that call the model. */
  callerQuestionsPerMinute: number | undefined;
  /** What money is counted with; null when there are only limits of questions. */
  prices: Prices | null;
}

/** The parts of the model's settings that money is counted with. */
interface Model {
  prices: Prices | null;
  maxOutputTokens: number | undefined;
}

/** The smallest budget that is counted exactly, in the currency of the prices. */
const MIN = 0.000001;
const NAMES = ['BUDGET_CALLER_DAY', 'BUDGET_CALLER_MONTH', 'BUDGET_APP_DAY', 'BUDGET_APP_MONTH'] as const;

/** Reads the budgets; null when there are none. */
export function readBudgets(settings: SettingsReader, model: Model): BudgetConfig | null {
  const limits = NAMES.map((name) => ({ name, limit: settings.number(name, { min: MIN }) }));
  const set = limits.filter(({ limit }) => limit !== undefined);
  const callerQuestionsPerMinute = settings.number('RATE_CALLER_PER_MINUTE', { min: 1, integer: true });
  if (set.length > 0) checkModel(settings, set[0]?.name ?? '', model);
  if (set.length === 0 && callerQuestionsPerMinute === undefined) return null;
  for (const { name, limit = 0 } of set) checkSize(settings, name, limit, model);
  const [callerDay, callerMonth, appDay, appMonth] = limits.map(({ limit }) => limit);
  return {
    caller: { day: callerDay, month: callerMonth },
    app: { day: appDay, month: appMonth },
    callerQuestionsPerMinute,
    prices: set.length > 0 ? model.prices : null,
  };
}

/** Without prices nothing can be counted, and without a limit of the output nothing can be reserved. */
function checkModel(settings: SettingsReader, name: string, { prices, maxOutputTokens }: Model): void {
  if (prices === null && settings.text('MODEL_PRICES') === undefined)
    settings.problems.push(`${name} needs MODEL_PRICES: they say what an answer costs.`);
  if (maxOutputTokens === undefined && settings.text('MODEL_MAX_OUTPUT_TOKENS') === undefined)
    settings.problems.push(`${name} needs MODEL_MAX_OUTPUT_TOKENS: it limits what one answer may cost.`);
}

/** A budget below the price of one answer would refuse every question. */
function checkSize(settings: SettingsReader, name: string, limit: number, model: Model): void {
  const { prices, maxOutputTokens } = model;
  if (prices === null || maxOutputTokens === undefined) return;
  const answer = (prices.output * maxOutputTokens) / 1e6;
  if (answer > limit) {
    settings.problems.push(
      `${name} is less than one answer of MODEL_MAX_OUTPUT_TOKENS may cost: raise it, or lower MODEL_MAX_OUTPUT_TOKENS.`,
    );
  } else if (answer > limit / 4) {
    settings.warnings.push(
      `${name} is less than four answers of MODEL_MAX_OUTPUT_TOKENS may cost: much of it cannot be used.`,
    );
  }
}
