/** The simulation of the set-up of `--check`: app processes, storage, model and caller share the cores of one machine. */
import { summarize, type Summary } from '../../dev/perf/statistics.ts';
import { type Activity, Clock, start } from './events.ts';
import { Machine, Processor } from './processor.ts';

/** The set-up. Times in milliseconds. */
export interface LocalSetup {
  /** App processes. Callers alternate between them. */
  processes: number;
  /** Callers, each of which asks again when it has an answer. */
  callers: number;
  questions: number;
  modelMs: number;
  cores: number;
  /** CPU time of one uncached question in a new session, by process. */
  cpu: LocalCpu;
  /** How much longer work takes because of other load on the machine. */
  slowdown: number;
}

/** CPU time in milliseconds. */
export interface LocalCpu {
  app: number;
  storage: number;
  model: number;
  caller: number;
}

/** Throughput in questions a second, and the times of questions in milliseconds. */
export interface LocalOutcome {
  perSecond: number;
  times: Summary;
}

/** Simulates the set-up. The work of a process is done in parts: before, between and after its waits. */
export function simulateLocal(setup: LocalSetup): LocalOutcome {
  const { processes, callers, questions, modelMs, cores, cpu, slowdown } = setup;
  const clock = new Clock();
  const machine = new Machine(clock, cores, slowdown);
  const apps = Array.from({ length: processes }, () => new Processor(machine));
  const [storage, model, caller] = [new Processor(machine), new Processor(machine), new Processor(machine)];
  const times: number[] = [];
  let asked = 0;
  let endedAt = 0;

  function* ask(): Activity {
    while (asked < questions) {
      const app = apps[asked++ % processes];
      if (!app) return;
      const sentAt = clock.now;
      yield caller.work(cpu.caller / 2);
      yield app.work(cpu.app / 3);
      yield model.work(cpu.model / 2);
      yield clock.wait(modelMs);
      yield model.work(cpu.model / 2);
      yield app.work(cpu.app / 3);
      yield storage.work(cpu.storage);
      yield app.work(cpu.app / 3);
      yield caller.work(cpu.caller / 2);
      times.push(clock.now - sentAt);
      endedAt = clock.now;
    }
  }

  for (let index = 0; index < callers; index++) start(ask());
  clock.run(3_600_000);
  const summary = summarize(times);
  if (!summary) throw new Error('no questions');
  return { perSecond: questions / (endedAt / 1000), times: summary };
}
