/** What `npm run bench` finds out, as it stands in its JSON. */

/** Something that costs, of the app and of what it is compared with, measured in the same round. */
export interface Round {
  app: number;
  baseline: number;
}

/** A cost. The less, the better. */
export interface Cost {
  name: string;
  /** What it is compared with. */
  baseline: string;
  unit: 'ms' | 'MB';
  /** What the ratio of app to baseline should be at most; null for one that is only told. */
  target: number | null;
  rounds: Round[];
}

/** Median, least and most. */
export interface Spread {
  median: number;
  min: number;
  max: number;
}

/** The value in the middle. */
export const median = (figures: number[]): number => spreadOf(figures).median;

/** Gives the spread of some figures. */
export function spreadOf(figures: number[]): Spread {
  const sorted = figures.toSorted((a, b) => a - b);
  const at = (index: number): number => sorted.at(index) ?? Number.NaN;
  return { median: at(Math.floor(sorted.length / 2)), min: at(0), max: at(-1) };
}

/** Of the ratios of all rounds. */
export const ratioOf = ({ rounds }: Cost): Spread =>
  spreadOf(rounds.map(({ app, baseline }) => app / baseline));

/** In a line: the ratio with its spread, what it should be, and what it is made of. */
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

/** To three digits. */
export const format = (figure: number): string => (figure >= 100 ? figure.toFixed(0) : figure.toPrecision(3));
