/** npm start, and the commands in the README and docs/api.md. */
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { root } from '../../dev/stack/root.ts';
import {
  type Child,
  freePort,
  isListening,
  startNode,
  systemEnvironment,
} from '../../dev/stack/child-process.ts';
import { BEHAVIOURS } from '../../dev/azure-openai-emulator/behaviours.ts';
import type { Answer, ErrorBody } from '../../src/lib/contract/responses.ts';
import { eventually } from '../support/app.ts';
import { sampled } from '../support/effort.ts';

let child: Child;
afterEach(() => child.kill());

/** Not .data, which another app may use. */
const dataFolder = mkdtempSync(join(tmpdir(), 'ask-data-'));
afterAll(() => rmSync(dataFolder, { recursive: true, force: true }));

const start = (args: string[], env?: Record<string, string>): void =>
  startScript('start', ['--data', dataFolder, ...args], env);

function startScript(script: string, args: string[], env: Record<string, string> = {}): void {
  child = startNode(['dev/run.js', script, ...args], { cwd: root, env: { ...systemEnvironment(), ...env } });
}

const serving = (): Promise<void> => child.printed('Stop with Ctrl-C');
const shell = (line: string): string =>
  execFileSync('sh', ['-c', line], { encoding: 'utf8', timeout: 20_000 });

/** Ids of the current descendants of the process `pid`. */
function descendants(pid: number | undefined): number[] {
  const rows = execFileSync('ps', ['-eo', 'pid=,ppid='], { encoding: 'utf8' }).trim().split('\n');
  const pairs = rows.map((row) => row.trim().split(/\s+/).map(Number));
  const of = (parent: number): number[] =>
    pairs.filter(([, ppid]) => ppid === parent).flatMap(([id = 0]) => [id, ...of(id)]);
  return of(pid ?? 0);
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

describe('npm start', { tags: ['posix', 'curl'] }, () => {
  it('serves a question, and prints its addresses and a working curl command on one screen', async () => {
    const port = await freePort();
    start(['--port', String(port)]);
    await serving();
    expect(child.output).toMatch(
      /^Building the app, starting Azurite \.\.\.\nStarting the functions host \.\.\.\n/,
    );
    expect(child.output.split('\n').length).toBeLessThan(24);
    expect(child.output).toMatch(/Model\s+emulator/);
    expect(child.output).toMatch(/Sessions\s+Azurite/);
    const line = /^ {2}(curl .*)$/m.exec(child.output)?.[1] ?? '';
    const answer = JSON.parse(shell(line)) as Answer;
    expect(answer.answer).toContain('Paris');
    expect(answer.performance_metrics.history_saved).toBe(true);
  });

  it('applies --model-fault, whose names are in the help', { tags: ['long'] }, async () => {
    start(['--help']);
    await child.ended;
    for (const name of Object.keys(BEHAVIOURS)) expect(child.output).toContain(` ${name} `);
    start(['--model-fault', 'no-such-fault']);
    const code = await child.ended;
    expect([code, child.output]).toEqual([2, expect.stringContaining('no-such-fault')]);

    const port = await freePort();
    start(['--port', String(port), '--model-fault', 'content-filter']);
    await serving();
    const line = /^ {2}(curl .*)$/m.exec(child.output)?.[1] ?? '';
    expect((JSON.parse(shell(line)) as ErrorBody).error.code).toBe('content_filtered');
  });

  it('is started and stopped by npm run perf when no app is running', { tags: ['long'] }, async () => {
    const port = await freePort();
    const plot = join(mkdtempSync(join(tmpdir(), 'ask-perf-')), 'plot.png');
    startScript('perf', ['--requests', '2', '--delay', '0', '--output', plot], { PORT: String(port) });
    const code = await child.ended;
    expect(child.output).toContain(`at http://localhost:${port}/ask`);
    expect(child.output).toMatch(/Answered +2 of 2/);
    expect(code).toBe(0);
    expect(existsSync(plot)).toBe(true);
    await expect(fetch(`http://localhost:${port}/health`)).rejects.toThrow('fetch failed');
  });

  it.for(sampled(['SIGINT', 'SIGTERM'] as const))(
    'stops on %s and leaves no processes behind',
    { tags: ['ps'] },
    async (signal) => {
      start([], { PORT: String(await freePort()) });
      await serving();
      const children = descendants(child.process.pid);
      expect(children.length).toBeGreaterThanOrEqual(2);
      expect(await child.kill(signal)).toBe(0);
      await eventually(() => children.every((pid) => !isRunning(pid)));
    },
  );

  it('leaves no processes behind when it is killed', { tags: ['ps', 'long'] }, async () => {
    start(['--port', String(await freePort())]);
    await serving();
    const children = descendants(child.process.pid);
    await child.kill();
    await eventually(() => children.every((pid) => !isRunning(pid)));
  });

  it('names the port that is taken and how to choose another', async () => {
    // Those that the system gives to any program are often in use next to each other.
    const port = await freePort();
    const server = createServer().listen(port);
    await once(server, 'listening');
    const next = createServer().listen(port + 1);
    await once(next, 'listening');
    start(['--port', String(port)]);
    expect(await child.ended).toBe(1);
    // Nothing was started, and no part of the stack reports the error as well.
    const [, suggested] =
      /^Port \d+ is in use\. Choose another: npm start -- --port (\d+)\n$/.exec(child.output) ?? [];
    expect(Number(suggested)).toBeGreaterThan(port + 1);
    await expect(isListening(Number(suggested))).resolves.toBe(false);
    server.close();
    next.close();
  });

  it('refuses the data of another app, which keeps its sessions, and says what to do', async () => {
    const port = await freePort();
    start(['--port', String(port)]);
    await serving();
    const first = child;
    const question = { question: 'My name is Ada.', session_id: 'shared data' };
    const post = async (body: object): Promise<Answer> => {
      const response = await fetch(`http://localhost:${port}/ask`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
      });
      return (await response.json()) as Answer;
    };
    try {
      await post(question);
      start(['--port', String(await freePort())]);
      expect(await child.ended).toBe(1);
      expect(child.output).toContain(
        `Another app (process ${first.process.pid}) uses the data in ${dataFolder}`,
      );
      expect(child.output).toContain('npm start -- --data FOLDER');
      expect((await post({ ...question, question: 'What is my name?' })).answer).toContain('Ada');
    } finally {
      await first.kill();
    }
    // The system removes the lock with the process.
    start(['--port', String(await freePort())]);
    await serving();
  });

  it('prints the keys and a curl command with a key for --enable-auth', { tags: ['long'] }, async () => {
    start(['--port', String(await freePort()), '--enable-auth']);
    await serving();
    const line = /^ {2}(curl .*)$/m.exec(child.output)?.[1] ?? '';
    expect((JSON.parse(shell(line)) as Answer).status).toBe('success');
  });

  it(
    'uses the real service when its endpoint is set, and prints its address',
    { tags: ['long'] },
    async () => {
      start(['--port', String(await freePort())], {
        AZURE_OPENAI_ENDPOINT: 'https://name.openai.azure.com',
        AZURE_OPENAI_API_KEY: 'key',
        AZURE_OPENAI_CHAT_DEPLOYMENT_NAME: 'gpt-4o',
        KEEP_WARM_MINUTES: '0',
      });
      await serving();
      expect(child.output).toContain('https://name.openai.azure.com');
      expect(child.output).not.toContain('emulator at');
    },
  );

  const MODELS: [string[], Record<string, string>, string][] = [
    [['--model-server', 'compatible'], {}, 'OpenAI-compatible server at http://127.0.0.1'],
    [['--model-fault', 'reasoning-model'], { MODEL_API: 'responses' }, 'emulator at'],
  ];
  it.each(MODELS)('answers with another model: %j %j', { tags: ['long'] }, async (args, env, model) => {
    const port = await freePort();
    start(['--port', String(port), ...args], env);
    await serving();
    expect(child.output).toContain(model);
    const line = /^ {2}(curl .*)$/m.exec(child.output)?.[1] ?? '';
    expect((JSON.parse(shell(line)) as Answer).answer).toBe('The capital of France is Paris.');
  });

  it.each([
    [[], { npm_config_limited: 'true', npm_config_port: '3071' }, 2, 'npm start -- --port=3071 --limited'],
    [['--port', 'x'], {}, 2, 'port must be a whole number'],
    [['--prot', '1'], {}, 2, '--prot'],
    [['--model-server', 'aws'], {}, 2, 'azure or compatible'],
    [[], { PORT: '0', MODEL_TEMPERATURE: 'hot', HISTORY_MAX_INTERACTIONS: '0' }, 1, '- MODEL_TEMPERATURE'],
  ])('refuses invalid options and settings: %j %j', async (args, env, code, message) => {
    start(args, env);
    expect(await child.ended).toBe(code);
    expect(child.output).toContain(message);
    expect(child.output).not.toContain('at file:');
  });

  it('runs the curl commands of the README and of docs/api.md', { tags: ['long'] }, async () => {
    const port = await freePort();
    start(['--port', String(port)]);
    await serving();
    const commands = ['README.md', 'docs/api.md'].map(curlCommands);
    for (const found of commands) expect(found.length).toBeGreaterThanOrEqual(2);
    for (const command of commands.flat()) {
      const printed = shell(command.replaceAll('localhost:3001', `localhost:${port}`));
      // A stream ends with the whole answer.
      const json = printed.replace(/^event: session[^]*event: done\ndata: /, '');
      // An error has a body too, but a different one.
      expect([command, JSON.parse(json)]).not.toEqual([
        command,
        expect.objectContaining({ error: expect.anything() }),
      ]);
    }
  });
});

/** The curl commands to the local app in the shell blocks of a document. A command may continue on the next line. */
function curlCommands(document: string): string[] {
  const text = readFileSync(join(root, document), 'utf8');
  return [...text.matchAll(/^```sh\n([^]*?)^```/gm)]
    .flatMap(([, block = '']) => block.replaceAll('\\\n', ' ').split('\n'))
    .filter((line) => line.startsWith('curl ') && line.includes('localhost:3001'));
}

it('refuses an old Node with a one-line message', async () => {
  // The check runs first, and only reads the version.
  const check = readFileSync(join(root, 'dev/run.js'), 'utf8');
  const old = `Object.defineProperty(process.versions, 'node', { value: '20.1.0' }); ${check}`;
  child = startNode(['--input-type=module', '-e', old]);
  expect(await child.ended).toBe(1);
  expect(child.output.trim().split('\n')).toHaveLength(1);
  expect(child.output).toContain('Node 24');
});
