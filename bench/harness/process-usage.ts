/** CPU and memory usage of a process, read from /proc (Linux only). */
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';

let ticks: number | undefined;
/** Asked for when it is first needed, so that `--help` starts no process. */
const ticksPerSecond = (): number =>
  (ticks ??= Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' })));

/** User and system time of all threads of a process so far, in milliseconds, with a resolution of 10 ms. */
export function cpuTime(pid: number): number {
  // Skips the name, which is in parentheses and may contain any text: proc_pid_stat(5), fields 14 and 15.
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  return ((Number(fields[11]) + Number(fields[12])) * 1000) / ticksPerSecond();
}

/** CPU milliseconds of a process for each of `requests` requests, which `work` sends. */
export async function cpuDuring(
  pid: number,
  requests: number,
  work: () => Promise<unknown>,
): Promise<number> {
  const before = cpuTime(pid);
  await work();
  return (cpuTime(pid) - before) / requests;
}

/** CPU time of all processes of this machine so far, in milliseconds, with what its hypervisor gave to others. */
export function machineCpuTime(): number {
  // proc_stat(5): user, nice, system, idle, iowait, irq, softirq, steal.
  const line = readFileSync('/proc/stat', 'utf8').split('\n')[0] ?? '';
  const fields = line.split(/\s+/).slice(1, 9).map(Number);
  const busy = fields.filter((_, index) => index !== 3 && index !== 4);
  return (busy.reduce((sum, each) => sum + each, 0) * 1000) / ticksPerSecond();
}

/** Resets the peak memory of a process. */
export function resetPeakMemory(pid: number): void {
  writeFileSync(`/proc/${pid}/clear_refs`, '5');
}

/** The peak resident memory of a process since {@link resetPeakMemory}, in MB. */
export function peakMemory(pid: number): number {
  return Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024;
}

/** The resident memory of a process now, in MB. */
export function residentMemory(pid: number): number {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024;
}

/** Samples the resident memory of a process. `stop` ends this and returns the highest value, in MB. */
export function watchMemory(pid: number): { stop: () => number } {
  let peak = residentMemory(pid);
  const timer = setInterval(() => (peak = Math.max(peak, residentMemory(pid))), 100);
  return {
    stop() {
      clearInterval(timer);
      return peak;
    },
  };
}
