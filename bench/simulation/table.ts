/** The outcomes as tables. */
import { templateDefault } from '../../dev/azd/model-wish.ts';
import { costOfMonth, type Month } from '../../dev/cost/month.ts';
import { readPrices } from '../../dev/cost/prices.ts';
import { MEAN_OF_DAY, type Scenario } from './scenario.ts';
import type { Outcome } from './simulate.ts';

/** An outcome with the cost of a month like it. */
export interface Row {
  /** Questions a second in the busiest hour. */
  rate: number;
  outcome: Outcome;
  month: Month;
}

/** Adds the cost: of a month whose busiest hour is like the run. */
export function toRow(scenario: Scenario, outcome: Outcome): Row {
  const { arrived, completions, storageCalls, instances, times } = outcome;
  const usage = {
    questions: scenario.load.perSecond * MEAN_OF_DAY * 730 * 3600,
    callsPerQuestion: completions / arrived,
    storageCallsPerQuestion: storageCalls / arrived,
    billedSeconds: Math.max(1, (times?.mean ?? 0) / 1000),
    instances: instances.mean * MEAN_OF_DAY,
    redis: scenario.app.redisMs !== null,
  };
  const month = costOfMonth(usage, readPrices(), templateDefault().name);
  return { rate: scenario.load.perSecond, outcome, month };
}

const HEAD = [
  'scenario',
  'instances',
  'CPU',
  'p50 s',
  'p95 s',
  'p99 s',
  'goodput/s',
  'refused',
  'cold starts',
  'hits',
  'calls/s',
  '429s',
  'storage/s',
  'not saved',
  '$/month',
  'breaks first',
];

/** Formats the rows of one rate as a Markdown table. */
export function formatTable(rate: number, rows: Row[]): string {
  const lines = [HEAD, HEAD.map(() => '---'), ...rows.map(cellsOf)].map(
    (cells) => `| ${cells.join(' | ')} |`,
  );
  return `${rate.toLocaleString('en')} questions a second\n\n${lines.join('\n')}\n`;
}

const time = (ms: number | null | undefined): string => (ms == null ? '' : (ms / 1000).toFixed(2));

function cellsOf({ outcome, month }: Row): string[] {
  const { times, instances, arrived, seconds } = outcome;
  const percent = (count: number): string => `${((100 * count) / Math.max(1, arrived)).toFixed(1)} %`;
  const perSecond = (count: number): string =>
    (count / seconds).toLocaleString('en', { maximumSignificantDigits: 3 });
  const refused = Object.entries(outcome.refused)
    .filter(([, count]) => count > 0.001 * arrived)
    .map(([code, count]) => `${code} ${percent(count)}`);
  if (outcome.inProgress > 0.02 * arrived) refused.push(`no answer yet ${percent(outcome.inProgress)}`);
  return [
    outcome.scenario,
    String(instances.atEnd),
    `${(100 * instances.cpuShare).toFixed(0)} %`,
    time(times?.p50),
    time(times?.p95),
    time(times?.p99),
    perSecond(outcome.answered),
    refused.join(', ') || 'under 0.1 %',
    String(outcome.coldStarts),
    percent(outcome.cacheHits + outcome.redisHits + outcome.coalesced),
    perSecond(outcome.completions),
    percent(limited(outcome)),
    perSecond(outcome.storageCalls),
    percent(outcome.notSaved),
    Math.round(month.sum).toLocaleString('en'),
    outcome.breaks.map(({ cause, second }) => `${cause} (${second} s)`).join(', ') || 'nothing',
  ];
}

const limited = ({ breaks, arrived }: Outcome): number =>
  (breaks.find(({ cause }) => cause === 'model quota')?.share ?? 0) * arrived;
