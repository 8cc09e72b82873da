/** Samples what the app's process uses. */
import { readdirSync, readlinkSync, statSync } from 'node:fs';
import type { Stack } from './stack.ts';

/** One sample. A figure that the system does not give is null. */
export interface Sample {
  /** Seconds since the start of the load. */
  at: number;
  /** Resident memory. */
  rssMb: number | null;
  /** What keeps the event loop alive: sockets, timers, requests. */
  handles: number | null;
  /** Open sockets, and open file descriptors in all, from /proc (Linux only). */
  sockets: number | null;
  files: number | null;
  /** 99th percentile of the event loop's delay since the last sample. */
  loopDelayMs: number | null;
  /** The cache file with its write-ahead log. */
  cacheFileMb: number | null;
}

/** The figures that are judged. */
export type Figure = Exclude<keyof Sample, 'at'>;

interface Usage {
  type: 'usage';
  rss: number;
  handles: number;
  loopDelay: number;
}

const MB = 1024 * 1024;
/** How long the process may take to report. */
const REPORT_MS = 5000;

/** Takes a sample `at` seconds after the start. */
export async function takeSample(stack: Stack, at: number): Promise<Sample> {
  const usage = await askApp(stack);
  const files = openFiles(stack.pid);
  return {
    at,
    rssMb: usage && usage.rss / MB,
    handles: usage && usage.handles,
    sockets: files && files.filter((target) => target.startsWith('socket:')).length,
    files: files && files.length,
    loopDelayMs: usage && usage.loopDelay / 1e6,
    cacheFileMb: (sizeOf(stack.cacheFile) + sizeOf(`${stack.cacheFile}-wal`)) / MB,
  };
}

/** Null when the process does not report in time. */
function askApp({ app: { process: child } }: Stack): Promise<Usage | null> {
  return new Promise((resolve) => {
    const end = (usage: Usage | null): void => {
      clearTimeout(timer);
      child.off('message', listener);
      resolve(usage);
    };
    const listener = (message: Usage): void => {
      if (message.type === 'usage') end(message);
    };
    const timer = setTimeout(end, REPORT_MS, null);
    child.on('message', listener);
    if (child.connected) child.send({ type: 'usage' }, () => {});
    else end(null);
  });
}

/** What the file descriptors of a process refer to; null where there is no /proc. */
function openFiles(pid: number): string[] | null {
  try {
    return readdirSync(`/proc/${pid}/fd`).map((fd) => {
      try {
        return readlinkSync(`/proc/${pid}/fd/${fd}`);
      } catch {
        // Closed meanwhile.
        return '';
      }
    });
  } catch {
    return null;
  }
}

const sizeOf = (path: string): number => statSync(path, { throwIfNoEntry: false })?.size ?? 0;
