/** Samples what the app's process uses, and judges whether it grows: a line is fitted to the second half of the run. */
import { statSync } from 'node:fs';
import { CACHE_FILE_MB, type Stack } from './stack.ts';

/**
 * By how much the fitted line may rise over the second half of a run. It is the noise of one run, whatever its length, so
 * that the limit per hour becomes sharper the longer the run is: half an hour shows a leak of 100 MB/h, ten hours one of
 * 5 MB/h.
 */
const FIGURES = {
  // V8 moves between collections of its old space by about this much at this load.
  rssMb: { label: 'Resident memory, MB', noise: 25 },
  // What keeps the event loop alive. Each of the up to 20 callers has a socket, a timer and a request, and the faults
  // change when they are in flight.
  handles: { label: 'Handles', noise: 20 },
  // Open sockets, and open file descriptors in all (Linux only).
  sockets: { label: 'Sockets', noise: 20 },
  files: { label: 'File descriptors', noise: 20 },
  // A collection of the old space takes up to about 20 ms. Other programs on the machine delay it as well.
  loopDelayMs: { label: 'Event loop delay p99, ms', noise: 20 },
  // With its write-ahead log. The faults make the app begin an empty file. From there it rises to its limit; the log
  // beside it to about as much.
  cacheFileMb: { label: 'Cache file, MB', noise: 2 * CACHE_FILE_MB },
};

/** A figure that is judged. */
type Figure = keyof typeof FIGURES;

/** One sample, `at` seconds after the start of the load. A figure that the system does not give is null. */
export type Sample = { at: number } & Record<Figure, number | null>;

/** The growth of one figure. */
export interface Growth {
  figure: Figure;
  label: string;
  /** Value of the fitted line at the beginning and the end of the second half. */
  from: number;
  to: number;
  perHour: number;
  /** The most that is acceptable per hour; null when the run was too short to judge. */
  limitPerHour: number | null;
}

/** Shorter runs are not judged: V8 reaches its steady heap, and compiles hot code, in the first minutes. */
export const JUDGED_FROM_S = 600;
/** How long the process may take to report. */
const REPORT_MS = 5000;

/** All figures, in the order of the report. */
export const FIGURE_NAMES = Object.keys(FIGURES) as Figure[];
export const labelOf = (figure: Figure): string => FIGURES[figure].label;

/** Takes a sample `at` seconds after the start. The figures are null when the process does not report in time. */
export async function takeSample({ app, tellApp, cacheFile }: Stack, at: number): Promise<Sample> {
  const { promise, resolve } = Promise.withResolvers<Partial<Sample>>();
  const listener = (message: Partial<Sample> & { type: string }): void => {
    if (message.type === 'usage') resolve(message);
  };
  const timer = setTimeout(resolve, REPORT_MS, {});
  app.process.on('message', listener);
  if (!tellApp({ type: 'usage' })) resolve({});
  const usage = await promise;
  clearTimeout(timer);
  app.process.off('message', listener);
  const bytes = [cacheFile, `${cacheFile}-wal`].map(
    (path) => statSync(path, { throwIfNoEntry: false })?.size ?? 0,
  );
  const { rssMb = null, handles = null, sockets = null, files = null, loopDelayMs = null } = usage;
  const cacheFileMb = bytes.reduce((sum, each) => sum + each, 0) / 1024 ** 2;
  return { at, rssMb, handles, sockets, files, loopDelayMs, cacheFileMb };
}

/** Fits the growth of each figure that was sampled at least three times in the second half. */
export function growthOf(samples: readonly Sample[]): Growth[] {
  const end = samples.at(-1)?.at ?? 0;
  const half = samples.filter(({ at }) => at >= end / 2);
  return FIGURE_NAMES.flatMap((figure) => {
    const points = half.flatMap((sample): [number, number][] => {
      const value = sample[figure];
      return value === null ? [] : [[sample.at / 3600, value]];
    });
    const line = points.length < 3 ? null : fitLine(points);
    if (!line) return [];
    const { label, noise } = FIGURES[figure];
    const hours = (points.at(-1)?.[0] ?? 0) - (points[0]?.[0] ?? 0);
    const from = line.at(points[0]?.[0] ?? 0);
    const limitPerHour = end < JUDGED_FROM_S ? null : noise / hours;
    return [{ figure, label, from, to: from + line.slope * hours, perHour: line.slope, limitPerHour }];
  });
}

const mean = (values: number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

/** Least squares. Null when all points have the same x. */
export function fitLine(
  points: readonly [number, number][],
): { slope: number; at: (x: number) => number } | null {
  const [x, y] = [mean(points.map(([px]) => px)), mean(points.map(([, py]) => py))];
  const spread = points.reduce((sum, [px]) => sum + (px - x) ** 2, 0);
  if (spread === 0) return null;
  const slope = points.reduce((sum, [px, py]) => sum + (px - x) * (py - y), 0) / spread;
  return { slope, at: (place) => y + slope * (place - x) };
}

/** True when a figure grows faster than its limit. */
export const isTooFast = ({ perHour, limitPerHour }: Growth): boolean =>
  limitPerHour !== null && perHour > limitPerHour;
