/** Whether a user was signed in when this page was requested. */

/** What `Server-Timing` of the page said. Asking the API instead would put a 401 into the console of everyone else. */
export function pageHasUser(): boolean {
  const [navigation] = performance.getEntriesByType('navigation') as PerformanceNavigationTiming[];
  return navigation?.serverTiming.some(({ name }) => name === 'signed-in') ?? false;
}
