/** Random numbers from a seed: the same seed gives the same simulation. */
import { createRandom } from '../harness/random.ts';

/** A stream of random numbers. Streams with different names are independent, also with the same seed. */
export class Random {
  /** Gives a uniform number from 0 (included) to 1 (excluded). */
  readonly next: () => number;

  constructor(seed: number, name: string) {
    let state = seed >>> 0;
    for (const character of name) {
      state = Math.imul(state ^ (character.codePointAt(0) ?? 0), 0x01_00_01_93) >>> 0;
    }
    this.next = createRandom(state);
  }

  /** An integer from 0 to `count - 1`. */
  below(count: number): number {
    return Math.floor(this.next() * count);
  }

  /** Exponential: the time between arrivals of a Poisson process. */
  exponential(mean: number): number {
    return -mean * Math.log(1 - this.next());
  }

  /** Lognormal with this mean. `sigma` is the standard deviation of its logarithm. */
  lognormal(mean: number, sigma: number): number {
    const normal = Math.sqrt(-2 * Math.log(1 - this.next())) * Math.cos(2 * Math.PI * this.next());
    return mean * Math.exp(sigma * normal - (sigma * sigma) / 2);
  }
}

/** The Zipf distribution: rank `r`, from 1, has a probability proportional to `r ^ -exponent`. */
export class Zipf {
  /** The probability of the ranks up to each index. */
  readonly #cumulative: Float64Array;

  constructor(count: number, exponent: number) {
    this.#cumulative = new Float64Array(count);
    let sum = 0;
    for (let index = 0; index < count; index++) this.#cumulative[index] = sum += (index + 1) ** -exponent;
    for (let index = 0; index < count; index++)
      this.#cumulative[index] = (this.#cumulative[index] ?? 0) / sum;
  }

  /** An index from 0, the most frequent, to `count - 1`. */
  sample(random: Random): number {
    const at = random.next();
    let [low, high] = [0, this.#cumulative.length - 1];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#cumulative[middle] ?? 1) > at) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  /** The probability of an index. */
  probability(index: number): number {
    return (this.#cumulative[index] ?? 0) - (index === 0 ? 0 : (this.#cumulative[index - 1] ?? 0));
  }
}
