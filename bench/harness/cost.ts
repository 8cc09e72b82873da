/** The results of `npm run bench`, in the format of its JSON file. */

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
  unit: 'ms' | 'MB';
  /** The highest acceptable ratio of app to baseline; null if there is no target. */
  target: number | null;
  rounds: Round[];
}

/** The two sides of a round in the order in which they are measured: who comes first changes with each round. */
export const turnOf = (round: number): (keyof Round)[] =>
  round % 2 === 0 ? ['baseline', 'app'] : ['app', 'baseline'];

/** Median, minimum and maximum. */
export interface Spread {
  median: number;
  min: number;
  max: number;
}

/** Returns the median. */
export const median = (figures: number[]): number => spreadOf(figures).median;

/** Returns the spread of some values. */
export function spreadOf(figures: number[]): Spread {
  const sorted = figures.toSorted((a, b) => a - b);
  const at = (index: number): number => sorted.at(index) ?? Number.NaN;
  return { median: at(Math.floor(sorted.length / 2)), min: at(0), max: at(-1) };
}

/** Returns the spread of the ratios over all rounds. */
export const ratioOf = ({ rounds }: Cost): Spread =>
  spreadOf(rounds.map(({ app, baseline }) => app / baseline));

/** Formats a cost in one line: the ratio with its spread, the target, and the two values. */
export function formatCost(cost: Cost): string {
  const { name, baseline, unit, target, rounds } = cost;
  const ratio = ratioOf(cost);
  const [app, other] = [
    spreadOf(rounds.map((round) => round.app)),
    spreadOf(rounds.map((round) => round.baseline)),
  ];
  const verdict =
    target === null
      ? ''
      : ratio.median <= target
        ? `, target ${format(target)}: met`
        : `, target ${format(target)}: MISSED`;
  return (
    `${format(ratio.median)}x (${format(ratio.min)} to ${format(ratio.max)})  ${name}: ` +
    `${format(app.median)} ${unit}, ${baseline} ${format(other.median)} ${unit}${verdict}`
  );
}

/** Formats a value with three significant digits. */
export const format = (figure: number): string => (figure >= 100 ? figure.toFixed(0) : figure.toPrecision(3));

/** A ratio that is higher than the committed one by more than this is worth a look. */
const DEARER = 1.1;

/**
 * Formats the costs whose ratio is higher than that of the committed cost of the same name. The best round counts, so that
 * a busy machine is rarely taken for a dearer app.
 */
export function formatDearer(costs: Cost[], committed: Cost[]): string {
  const lines = costs.flatMap((cost) => {
    const before = committed.find(({ name, baseline }) => name === cost.name && baseline === cost.baseline);
    const factor = before ? ratioOf(cost).min / ratioOf(before).median : 1;
    return factor > DEARER ? [`  ${cost.name}: ${format(factor)} times the committed ratio`] : [];
  });
  return lines.length > 0 ? ['Dearer:', ...lines].join('\n') : 'Nothing got dearer by more than 10 %.';
}
