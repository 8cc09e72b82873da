/**
 * Admission control: a question that cannot be answered in time is refused before it costs a body, a storage request and
 * a cache lookup. The bulkhead of the model refuses too, but only after these.
 */
import { errors } from '../contract/errors.ts';

/**
 * Questions whose history and answer are looked up at once. It is more than twice the number of requests that an instance
 * gets at a time with the default deployment (`ASK_HTTP_CONCURRENCY`, 100), so that a burst of cached questions passes.
 */
const MAX_LOOKUPS = 256;
/**
 * The same while the model takes no further call. Only a cached answer, or one that is in flight, can still be given, and
 * this needs a few milliseconds.
 */
const MAX_LOOKUPS_WHILE_FULL = 32;

/** Limits how many questions of this process are looked up at once. Questions that wait for the model do not count. */
export class Admission {
  readonly #isModelFull: () => boolean;
  #lookups = 0;

  /** `isModelFull` tells whether a further model call would be refused. */
  constructor(isModelFull: () => boolean) {
    this.#isModelFull = isModelFull;
  }

  /** Call it before the body is read. @throws AskError `busy` when {@link enter} would refuse the question. */
  check(): void {
    const limit = this.#isModelFull() ? MAX_LOOKUPS_WHILE_FULL : MAX_LOOKUPS;
    if (this.#lookups >= limit) throw errors.busy();
  }

  /**
   * Counts a question until the returned function is called for the first time. The body must have arrived: a slow sender
   * must not keep others out.
   * @throws AskError `busy` when too many questions are looked up.
   */
  enter(): () => void {
    this.check();
    this.#lookups++;
    let isInside = true;
    return () => {
      if (isInside) this.#lookups--;
      isInside = false;
    };
  }
}
