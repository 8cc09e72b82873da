/**
 * Who names the user, as `Server-Timing` of the page said when it was requested. Asking the API instead would put a 401 into
 * the console of everyone else.
 */

/** Whether a user was signed in. */
export const pageHasUser = (): boolean => pageSays('signed-in');

/** Whether users have keys of their own, in place of function keys. */
export const pageHasCallerKeys = (): boolean => pageSays('caller-keys');

function pageSays(what: string): boolean {
  const [navigation] = performance.getEntriesByType('navigation') as PerformanceNavigationTiming[];
  return navigation?.serverTiming.some(({ name }) => name === what) ?? false;
}
