/** The order of the test files. */
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** They take longest, in full runs up to two minutes each: at the end the other workers would wait for them. */
const LONGEST = [
  'lib/pool/http-client',
  'bench/soak',
  'functions/mcp-conformance',
  'functions/prompt-cache',
  'public/hostile-content',
  'functions/ask-model-faults',
  'functions/ask-breaker',
  'functions/model-catalogue',
  'dev/start',
  'dev/func',
  'functions/ask-sign-in',
  'functions/settings',
];

/** The place of a file in the order. */
function rank({ moduleId }: TestSpecification): number {
  const index = LONGEST.findIndex((name) => moduleId.endsWith(`test/${name}.test.ts`));
  return index < 0 ? LONGEST.length : index;
}

/** Starts the longest files first. The others follow in the order of Vitest. */
export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    // oxlint-disable-next-line unicorn/no-array-sort -- This is no array.
    const ordered = await super.sort(files);
    return ordered.toSorted((one, other) => rank(one) - rank(other));
  }
}
