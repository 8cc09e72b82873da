/** A public gateway to models as a baseline: Portkey's, installed from npm into the folder of the environment. */
import { execFile, spawn } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { freePort, stopChild } from '../../dev/stack/child-process.ts';
import type { Environment } from './environment.ts';
import { load, type Target } from './load.ts';

const PACKAGE = '@portkey-ai/gateway@1.15.2';
const INSTALL_MS = 120_000;
const START_MS = 20_000;

/** The question of each request. */
export const GATEWAY_QUESTION = {
  model: 'gpt-4o',
  messages: [{ role: 'user', content: 'What is the capital of France?' }],
};

/** Installs and starts the gateway. Returns null, after a note, when it cannot be installed or started. */
export async function startGateway(environment: Environment): Promise<(Target & { pid: number }) | null> {
  try {
    const folder = join(environment.folder, 'gateway');
    const flags = ['--no-save', '--ignore-scripts', '--no-audit', '--no-fund'];
    const args = ['install', '--prefix', folder, ...flags, PACKAGE];
    await promisify(execFile)('npm', args, { timeout: INSTALL_MS });
    return await start(environment, join(folder, 'node_modules', '@portkey-ai', 'gateway'));
  } catch (error) {
    console.error(`The gateway is left out: ${String(error).split('\n')[0]}`);
    return null;
  }
}

async function start(environment: Environment, cwd: string): Promise<Target & { pid: number }> {
  const { url, apiKey, certificatePath } = environment.services;
  const port = await freePort();
  const child = spawn(process.execPath, ['build/start-server.js', '--headless', `--port=${port}`], {
    cwd,
    env: { PATH: process.env['PATH'], NODE_EXTRA_CA_CERTS: certificatePath, NODE_ENV: 'production' },
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  environment.own(child, () => stopChild(child, 'stop', 0));
  const target = {
    pid: child.pid ?? 0,
    url: `http://127.0.0.1:${port}`,
    path: '/v1/chat/completions',
    answer: '"choices"',
    headers: {
      'x-portkey-provider': 'openai',
      'x-portkey-custom-host': `${url}/openai/v1`,
      authorization: `Bearer ${apiKey}`,
    },
  };
  for (const end = performance.now() + START_MS; ; await delay(200)) {
    try {
      await load(target, 1, 1, () => GATEWAY_QUESTION);
      return target;
    } catch (error) {
      if (performance.now() > end || child.exitCode !== null) throw error;
    }
  }
}
