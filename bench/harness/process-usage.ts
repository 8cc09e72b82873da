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

/** Resets the peak memory of a process. */
export function resetPeakMemory(pid: number): void {
  writeFileSync(`/proc/${pid}/clear_refs`, '5');
}

/** The peak resident memory of a process since {@link resetPeakMemory}, in MB. */
export const peakMemory = (pid: number): number => memoryOf(pid, /VmHWM:\s+(\d+)/);

const memoryOf = (pid: number, field: RegExp): number =>
  Number(field.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024;

/** Samples the resident memory of a process. `stop` ends this and returns the highest value, in MB. */
export function watchMemory(pid: number): { stop: () => number } {
  const resident = (): number => memoryOf(pid, /VmRSS:\s+(\d+)/);
  let peak = resident();
  const timer = setInterval(() => (peak = Math.max(peak, resident())), 100);
  return {
    stop() {
      clearInterval(timer);
      return peak;
    },
  };
}
