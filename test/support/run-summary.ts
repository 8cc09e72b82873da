/** Says at the end of a test run what was skipped and why, and which tests passed only when they were repeated. */
import type { Reporter, TestCase, TestModule } from 'vitest/node';
import { isFull } from './effort.ts';
import type { Program } from './programs.ts';

/** Prints its lines after the summary of the test run. */
export class RunSummary implements Reporter {
  readonly #absent: readonly Program[];

  constructor(absent: readonly Program[]) {
    this.#absent = absent;
  }

  onTestRunEnd(modules: readonly TestModule[]): void {
    this.#printSkipped(modules);
    const flaky = modules.flatMap((module) => [...module.children.allTests('passed')]).filter(isFlaky);
    const lines = flaky.flatMap((test) => [
      `  ${test.module.relativeModuleId}: ${test.fullName}`,
      ...(test.result().errors ?? []).map(({ message }) => `    ${message}`),
    ]);
    if (lines.length > 0) console.log(['Failed once, passed when repeated:', ...lines, ''].join('\n'));
  }

  #printSkipped(modules: readonly TestModule[]): void {
    const skipped = modules.flatMap((module) => [...module.children.allTests('skipped')]);
    const lines = this.#absent.flatMap((program) => {
      const { length } = skipped.filter((test) => test.tags.includes(program.tag));
      return length === 0 ? [] : [`  ${count(length)} ${program.name} (${program.install})`];
    });
    const others = skipped.filter((test) => !this.#absent.some(({ tag }) => test.tags.includes(tag)));
    for (const [reason, { length }] of Map.groupBy(others, reasonOf)) lines.push(`  ${length} ${reason}`);
    if (lines.length > 0) console.log(['Skipped tests:', ...lines, ''].join('\n'));
  }
}

const isFlaky = (test: TestCase): boolean => test.diagnostic()?.flaky === true;

const count = (tests: number): string => (tests === 1 ? '1 needs' : `${tests} need`);

function reasonOf(test: TestCase): string {
  if (test.tags.includes('long') && !isFull) return 'take long (run them with CI=true)';
  if (test.tags.includes('posix')) return 'need the signals of Linux or macOS';
  const result = test.result();
  return (result.state === 'skipped' && result.note) || 'for another reason';
}
