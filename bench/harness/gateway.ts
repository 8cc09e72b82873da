/** A public gateway to models as a comparison: Portkey's, installed from npm into a temporary folder. */
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Pool } from 'undici';
import { Child, freePort, startNode } from '../../dev/stack/child-process.ts';
import type { EmulatorProcess } from './emulator-process.ts';

const PACKAGE = '@portkey-ai/gateway@1.15.2';
const INSTALL_MS = 120_000;
const START_MS = 20_000;

/** A running gateway. */
export interface Gateway {
  pid: number;
  /** Sends `count` questions over `connections` connections. @throws Error when a status is not 200. */
  load(connections: number, count: number): Promise<void>;
  stop(): Promise<unknown>;
}

/** Installs and starts the gateway in `folder`. Returns null, after a note, when it cannot be installed or started. */
export async function startGateway(folder: string, emulator: EmulatorProcess): Promise<Gateway | null> {
  try {
    const options = ['--no-save', '--ignore-scripts', '--no-audit', '--no-fund'];
    const npm = new Child('npm', ['install', '--prefix', folder, ...options, PACKAGE], {
      timeout: INSTALL_MS,
    });
    if ((await npm.ended) !== 0) throw new Error(`npm install failed: ${npm.stderr}`);
    return await start(join(folder, 'node_modules', '@portkey-ai', 'gateway'), emulator);
  } catch (error) {
    console.error(
      `The gateway is left out: ${error instanceof Error ? error.message.split('\n')[0] : String(error)}`,
    );
    return null;
  }
}

async function start(folder: string, emulator: EmulatorProcess): Promise<Gateway> {
  const port = await freePort();
  const child = startNode(['build/start-server.js', '--headless', `--port=${port}`], {
    cwd: folder,
    env: { PATH: process.env['PATH'], NODE_EXTRA_CA_CERTS: emulator.certificatePath, NODE_ENV: 'production' },
    ipc: true,
  });
  const origin = `http://127.0.0.1:${port}`;
  const ask = async (pool: Pool): Promise<void> => {
    const { statusCode, body } = await pool.request({
      path: '/v1/chat/completions',
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        'x-portkey-provider': 'openai',
        'x-portkey-custom-host': `${emulator.url}/openai/v1`,
        authorization: `Bearer ${emulator.apiKey}`,
      },
      body: JSON.stringify({
        model: 'gpt-4o',
        messages: [{ role: 'user', content: 'What is the capital of France?' }],
      }),
    });
    const text = await body.text();
    if (statusCode !== 200) throw new Error(`the gateway answered with ${statusCode}: ${text.slice(0, 300)}`);
  };
  const load: Gateway['load'] = async (connections, count) => {
    const pool = new Pool(origin, { connections, pipelining: 1 });
    let sent = 0;
    const caller = async (): Promise<void> => {
      while (sent++ < count) await ask(pool);
    };
    try {
      await Promise.all(Array.from({ length: connections }, caller));
    } finally {
      await pool.destroy();
    }
  };
  const stop = () => child.kill();
  for (const end = performance.now() + START_MS; ; await delay(200)) {
    try {
      await load(1, 1);
      return { pid: child.process.pid ?? 0, load, stop };
    } catch (error) {
      if (performance.now() < end && child.process.exitCode === null) continue;
      await stop();
      throw error;
    }
  }
}
