/**
 * `npm run func` with a stand-in for the Core Tools: a host that ignores SIGTERM, and on SIGINT waits 30 s for streams
 * before it stops its worker, as the real one was seen to do (version 4.1037).
 */
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { type Child, startNode } from '../../dev/stack/child-process.ts';
import { root } from '../../dev/stack/root.ts';
import { eventually } from '../support/app.ts';

const HOST = `#!${process.execPath}
if (process.argv[2] === '--version') { console.log('4.0.0'); process.exit(0); }
const { spawn } = require('node:child_process');
const worker = spawn(process.execPath, ['-e', \`
  process.on('SIGTERM', () => {});
  process.on('SIGINT', () => { console.log('worker told'); if (process.env.STUCK !== 'yes') process.exit(0); });
  console.log('pids ' + process.ppid + ' ' + process.pid);
  setInterval(() => {}, 1000);\`], { stdio: 'inherit' });
process.on('SIGTERM', () => {});
process.on('SIGINT', () => { console.log('host told'); setTimeout(() => process.exit(0), process.env.STUCK === 'yes' ? 30000 : 500); });
`;

let folder = '';
let child: Child | undefined;
afterEach(async () => {
  await child?.kill();
  rmSync(folder, { recursive: true, force: true });
});

const isRunning = (pid: number): boolean => {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
};

it.each([
  ['SIGINT', 'no'],
  ['SIGTERM', 'no'],
  ['SIGTERM', 'yes'],
] as const)(
  'npm run func ends its host and worker within 10 s after %s (stuck: %s)',
  { tags: ['long', 'posix'], timeout: 120_000 },
  async (signal, stuck) => {
    folder = mkdtempSync(join(tmpdir(), 'ask-func-'));
    writeFileSync(join(folder, 'func'), HOST);
    chmodSync(join(folder, 'func'), 0o755);
    child = startNode([join(root, 'dev', 'run.js'), 'func'], {
      env: {
        ...process.env,
        PATH: [folder, process.env['PATH']].join(delimiter),
        STUCK: stuck,
        // No model and no storage: only the processes are tested.
        AZURE_OPENAI_ENDPOINT: 'https://name.openai.azure.com',
        AzureWebJobsStorage: 'UseDevelopmentStorage=true',
      },
    });
    await child.printed('pids ');
    const pids = /pids (\d+) (\d+)/.exec(child.output)?.slice(1).map(Number) ?? [];
    expect(pids.every(isRunning)).toBe(true);
    const started = Date.now();
    await child.kill(signal);
    expect(Date.now() - started).toBeLessThan(10_000);
    expect(child.output).toMatch(/host told|worker told/);
    await eventually(() => !pids.some(isRunning));
  },
);
