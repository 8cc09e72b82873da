/** Measured costs: what the parts of `npm run bench` give. */

/** A value of the app and of its baseline, measured in the same round. */
export interface Round {
  app: number;
  baseline: number;
}

/** A measured cost. Lower is better. */
export interface Cost {
  name: string;
  /** Description of the baseline. */
  baseline: string;
  /** An empty unit is a number of things. */
  unit: 'ms' | 'us' | 'MB' | 'kB' | '';
  /** The highest acceptable ratio of app to baseline; null if there is no target. */
  target: number | null;
  rounds: Round[];
}

/** Median, minimum and maximum. */
export interface Spread {
  median: number;
  min: number;
  max: number;
}

/** Returns the median. */
export const median = (figures: number[]): number => spreadOf(figures).median;

/** Returns the spread of some values. */
function spreadOf(figures: number[]): Spread {
  const sorted = figures.toSorted((a, b) => a - b);
  const at = (index: number): number => sorted.at(index) ?? Number.NaN;
  return { median: at(Math.floor(sorted.length / 2)), min: at(0), max: at(-1) };
}

/** Returns the spread of the ratios over all rounds. */
export const ratioOf = ({ rounds }: Cost): Spread =>
  spreadOf(rounds.map(({ app, baseline }) => app / baseline));

/** Returns the median of the app or of the baseline with its unit. */
export const valueOf = ({ rounds, unit }: Cost, side: keyof Round): string =>
  `${format(median(rounds.map((round) => round[side])))} ${unit}`.trim();

/** Formats a ratio with its spread. */
export function formatRatio(cost: Cost): string {
  const ratio = ratioOf(cost);
  return `${format(ratio.median)} (${format(ratio.min)} to ${format(ratio.max)})`;
}

/** True when there is no target, or the ratio is within it. */
export const isMet = (cost: Cost): boolean => cost.target === null || ratioOf(cost).median <= cost.target;

/** Formats a cost in one line: the ratio with its spread, the target, and the two values. */
export function formatCost(cost: Cost): string {
  const { name, baseline, target } = cost;
  const verdict = target === null ? '' : `, target ${format(target)}: ${isMet(cost) ? 'met' : 'MISSED'}`;
  return `${formatRatio(cost)}  ${name}: ${valueOf(cost, 'app')}, ${baseline} ${valueOf(cost, 'baseline')}${verdict}`;
}

/** Formats a value with three significant digits; a number of things as it is. */
export const format = (figure: number): string =>
  figure >= 100 || figure === 0 ? figure.toFixed(0) : figure.toPrecision(3);
