/** Runs `npm run perf` as a command, with its files in a folder of its own. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'vitest';
import { root } from '../../dev/stack/root.ts';
import { systemEnvironment } from '../../dev/stack/child-process.ts';
import type { Results } from '../../dev/perf/results.ts';

/** A command that runs, and its output so far. */
export interface Command {
  child: ChildProcess;
  output: () => string;
  code: Promise<number | null>;
}

/** The folder of a test file in which its commands run. */
export interface PerfFolder {
  file: (name: string) => string;
  exists: (name: string) => boolean;
  /** The content of a file that `--json` wrote. */
  results: (name: string) => Results;
  start: (...args: string[]) => Command;
  /** Runs the command to its end. */
  run: (...args: string[]) => Promise<{ code: number | null; output: string }>;
  remove: () => void;
}

/** Creates an empty folder for commands. */
export function createPerfFolder(): PerfFolder {
  const folder = mkdtempSync(join(tmpdir(), 'ask-perf-'));
  const file = (name: string): string => join(folder, name);
  const start = (...args: string[]): Command => startCommand(folder, args);
  return {
    file,
    exists: (name) => existsSync(file(name)),
    results: (name) => JSON.parse(readFileSync(file(name), 'utf8')) as Results,
    start,
    async run(...args) {
      const command = start(...args);
      return { code: await command.code, output: command.output() };
    },
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}

function startCommand(cwd: string, args: string[]): Command {
  const child = spawn(process.execPath, [join(root, 'dev/run.js'), 'perf', ...args], {
    cwd,
    env: systemEnvironment(),
  });
  let output = '';
  const read = (data: Buffer): void => void (output += data.toString());
  child.stdout.on('data', read);
  child.stderr.on('data', read);
  return {
    child,
    output: () => output,
    code: once(child, 'close').then(([code]) => code as number | null),
  };
}

/** Width and height of a PNG. */
export function sizeOfPng(png: Uint8Array): [number, number] {
  const bytes = Buffer.from(png);
  expect(bytes.subarray(0, 8).toString('latin1')).toBe('\x89PNG\r\n\x1a\n');
  return [bytes.readUInt32BE(16), bytes.readUInt32BE(20)];
}
