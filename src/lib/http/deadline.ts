/** The time limit of a request. */
import { errors } from '../contract/errors.ts';

/** A running time limit. */
export interface Deadline {
  /** Aborts at the deadline; the reason is the error for the caller. */
  signal: AbortSignal;
  clear: () => void;
}

/** Starts a time limit of `ms` milliseconds. `hasArrived` tells at its end whether the request was complete by then. */
export function startDeadline(ms: number, hasArrived: () => boolean): Deadline {
  const controller = new AbortController();
  const seconds = ms / 1000;
  const abort = () =>
    controller.abort(hasArrived() ? errors.timeout(seconds) : errors.requestTimeout(seconds));
  const timer = setTimeout(abort, ms);
  return { signal: controller.signal, clear: () => clearTimeout(timer) };
}
