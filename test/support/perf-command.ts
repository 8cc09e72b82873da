/** Runs `npm run perf` as a command, with its files in a folder of its own. */
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'vitest';
import { type Child, runNode, startNode, systemEnvironment } from '../../dev/stack/child-process.ts';
import { root } from '../../dev/stack/root.ts';
import type { Results } from '../../dev/perf/results.ts';

/** The folder of a test file in which its commands run. */
export interface PerfFolder {
  file: (name: string) => string;
  exists: (name: string) => boolean;
  /** The content of a file that `--json` wrote. */
  results: (name: string) => Results;
  start: (...args: string[]) => Child;
  /** Runs the command to its end. */
  run: (...args: string[]) => Promise<{ code: number | null; output: string }>;
  remove: () => void;
}

/** Creates an empty folder for commands. */
export function createPerfFolder(): PerfFolder {
  const folder = mkdtempSync(join(tmpdir(), 'ask-perf-'));
  const file = (name: string): string => join(folder, name);
  const program = join(root, 'dev/run.js');
  const options = { cwd: folder, env: systemEnvironment() };
  return {
    file,
    exists: (name) => existsSync(file(name)),
    results: (name) => JSON.parse(readFileSync(file(name), 'utf8')) as Results,
    start: (...args) => startNode([program, 'perf', ...args], options),
    run: (...args) => runNode([program, 'perf', ...args], options),
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}

/** Width and height of a PNG. */
export function sizeOfPng(png: Uint8Array): [number, number] {
  const bytes = Buffer.from(png);
  expect(bytes.subarray(0, 8).toString('latin1')).toBe('\x89PNG\r\n\x1a\n');
  return [bytes.readUInt32BE(16), bytes.readUInt32BE(20)];
}
