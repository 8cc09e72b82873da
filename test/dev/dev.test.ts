/** npm run dev: restarts at a change, and keeps what was there. */
import { mkdtempSync, rmSync, utimesSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { type Child, freePort, startNode, systemEnvironment } from '../../dev/stack/child-process.ts';
import { root } from '../../dev/stack/root.ts';
import type { Answer } from '../../src/lib/contract/responses.ts';

let child: Child;
const dataFolder = mkdtempSync(join(tmpdir(), 'ask-data-'));
afterEach(async () => {
  await child.kill('SIGTERM');
  rmSync(dataFolder, { recursive: true, force: true });
});

it(
  'a change of a source restarts the app, and its sessions and keys stay',
  { tags: ['posix', 'long'] },
  async () => {
    const port = await freePort();
    const options = ['--port', String(port), '--data', dataFolder, '--enable-auth', '--inspect=0'];
    child = startNode(['dev/run.js', 'dev', ...options], { cwd: root, env: systemEnvironment() });
    await child.printed('Stop with Ctrl-C');
    expect(child.output).toContain('Debugger listening on ws://127.0.0.1');
    const key = /x-functions-key: (\S+?)'/.exec(child.output)?.[1] ?? '';
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
    await child.printed('src/main.ts changed: restarted in');
    const after = await askIt('What is my name?');
    expect(after.answer).toBe('Your name is Ada.');
    expect(after.performance_metrics.instance_id).not.toBe(before.performance_metrics.instance_id);
  },
);
