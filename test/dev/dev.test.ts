/** npm run dev: restarts at a change, and keeps what was there. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, utimesSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { freePort, systemEnvironment } from '../../dev/stack/child-process.ts';
import { root } from '../../dev/stack/root.ts';
import type { Answer } from '../../src/lib/contract/responses.ts';
import { eventually } from '../support/app.ts';

let child: ChildProcess;
const dataFolder = mkdtempSync(join(tmpdir(), 'ask-data-'));
afterEach(async () => {
  const exited = once(child, 'exit');
  child.kill('SIGTERM');
  await exited;
  rmSync(dataFolder, { recursive: true, force: true });
});

it(
  'a change of a source restarts the app, and its sessions and keys stay',
  { tags: ['posix', 'long'] },
  async () => {
    const port = await freePort();
    let output = '';
    const options = ['--port', String(port), '--data', dataFolder, '--enable-auth', '--inspect=0'];
    const args = ['dev/run.js', 'dev', ...options];
    const spawned = spawn(process.execPath, args, { cwd: root, env: systemEnvironment() });
    child = spawned;
    for (const stream of [spawned.stdout, spawned.stderr])
      stream.on('data', (data: Buffer) => (output += data.toString()));
    await eventually(() => output.includes('Stop with Ctrl-C'), 30_000);
    expect(output).toContain('Debugger listening on ws://127.0.0.1');
    const key = /x-functions-key: (\S+?)'/.exec(output)?.[1] ?? '';
    const session_id = `dev ${port}`;
    const askIt = async (question: string): Promise<Answer> => {
      const response = await fetch(`http://localhost:${port}/ask`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'x-functions-key': key },
        body: JSON.stringify({ question, session_id }),
      });
      return (await response.json()) as Answer;
    };
    const before = await askIt('My name is Ada.');
    const now = new Date();
    utimesSync(join(root, 'src/main.ts'), now, now);
    await eventually(() => output.includes('src/main.ts changed: restarted in'), 30_000);
    const after = await askIt('What is my name?');
    expect(after.answer).toBe('Your name is Ada.');
    expect(after.performance_metrics.instance_id).not.toBe(before.performance_metrics.instance_id);
  },
);
