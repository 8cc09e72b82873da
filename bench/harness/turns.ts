/** Measuring by turns: every value is measured in the same rounds as its baseline. */
import type { Cost } from '../../dev/figures/cost.ts';

/**
 * Measures all sides once in each round, in an order that is reversed with each round. The first round is a warm-up, and is
 * left out.
 */
export async function byTurns<Side extends string, Measured = number>(
  rounds: number,
  sides: Record<Side, () => Promise<Measured>>,
): Promise<Record<Side, Measured>[]> {
  const all: Record<Side, Measured>[] = [];
  const names = Object.keys(sides) as Side[];
  for (let round = -1; round < rounds; round++) {
    const found: Partial<Record<Side, Measured>> = {};
    for (const name of round % 2 === 0 ? names : names.toReversed()) found[name] = await sides[name]();
    if (round >= 0) all.push(found as Record<Side, Measured>);
  }
  return all;
}

/** Two sides that are compared in one of the measured values. */
export interface Comparison<Side, Measured> {
  name: string;
  /** Description of the baseline; the name of its side if there is none. */
  baseline?: string;
  sides: [app: Side, baseline: Side];
  of: (measured: Measured) => number;
  unit?: Cost['unit'];
  target?: number | null;
}

/** Makes a cost of the rounds. */
export function costOf<Side extends string, Measured>(
  rounds: Record<Side, Measured>[],
  { name, baseline, sides: [app, other], of, unit = 'ms', target = null }: Comparison<Side, Measured>,
): Cost {
  const values = rounds.map((round) => ({ app: of(round[app]), baseline: of(round[other]) }));
  return { name, baseline: baseline ?? other, unit, target, rounds: values };
}

/** For sides whose measured value is one number. */
export const itself = (figure: number): number => figure;
