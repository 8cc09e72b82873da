/**
 * Preloaded into the process of the app by stack.ts, because only the process itself knows these: it reports handles, memory
 * and the delay of the event loop when its parent asks, and shifts the clock that the app reads.
 */
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

process.on('message', (/** @type {{ type?: string, offsetMs?: number }} */ message) => {
  if (message.type === 'clock') offsetMs = message.offsetMs ?? 0;
  if (message.type !== 'usage') return;
  process.send?.({
    type: 'usage',
    rss: process.memoryUsage.rss(),
    handles: process.getActiveResourcesInfo().length,
    // In nanoseconds. The histogram is not a number before its first value.
    loopDelay: delay.percentile(99) || 0,
  });
  delay.reset();
});
