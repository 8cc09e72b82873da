/**
 * Preloaded into the process of the app by stack.ts, because only the process itself knows these: it reports its memory,
 * handles, file descriptors and the delay of its event loop when its parent asks, and shifts the clock that the app reads.
 */
import { readdirSync, readlinkSync } from 'node:fs';
import { monitorEventLoopDelay } from 'node:perf_hooks';

const delay = monitorEventLoopDelay({ resolution: 10 });
delay.enable();

let offsetMs = 0;
const RealDate = Date;
const now = RealDate.now.bind(RealDate);
RealDate.now = () => now() + offsetMs;
globalThis.Date = new Proxy(RealDate, {
  construct: (target, given, newTarget) =>
    Reflect.construct(target, given.length > 0 ? given : [RealDate.now()], newTarget),
});

/** What the file descriptors refer to; null where there is no /proc. */
function openFiles() {
  try {
    return readdirSync('/proc/self/fd').map((fd) => {
      try {
        return readlinkSync(`/proc/self/fd/${fd}`);
      } catch {
        // Closed meanwhile.
        return '';
      }
    });
  } catch {
    return null;
  }
}

process.on('message', (/** @type {{ type?: string, offsetMs?: number }} */ message) => {
  if (message.type === 'clock') offsetMs = message.offsetMs ?? 0;
  if (message.type !== 'usage') return;
  const files = openFiles();
  process.send?.({
    type: 'usage',
    rssMb: process.memoryUsage.rss() / 1024 ** 2,
    handles: process.getActiveResourcesInfo().length,
    sockets: files && files.filter((target) => target.startsWith('socket:')).length,
    files: files && files.length,
    // The histogram has nanoseconds, and is not a number before its first value.
    loopDelayMs: (delay.percentile(99) || 0) / 1e6,
  });
  delay.reset();
});
