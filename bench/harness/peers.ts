/**
 * The app and what it is compared with, each as a server in its own process: a sample of a function, and a public gateway,
 * which is installed from the npm registry. Neither has chat history or an answer cache.
 */
import type { ChildProcess } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { isListening, onFreePort, runNode, startNode } from '../../dev/stack/child-process.ts';
import type { Environment, Subject } from './environment.ts';
import type { Target } from './load.ts';

/** A running server. */
export interface Server extends Target {
  process: ChildProcess;
  stop(): Promise<unknown>;
  /** Whether it can stream an answer. */
  streams: boolean;
  /** Returns the body of a request with this question. */
  bodyOf: (question: string, stream?: boolean) => object;
}

/** Starts a server whose model is at `modelUrl`. */
export type StartServer = (environment: Environment, modelUrl: string) => Promise<Server>;

/** With newer versions of its server, this version of the gateway fails on streams: it changes headers that are immutable. */
const GATEWAY = {
  private: true,
  dependencies: { '@portkey-ai/gateway': '1.15.2' },
  overrides: { '@hono/node-server': '1.12.2' },
};
/** The route of OpenAI's chat completions. */
const COMPLETIONS = 'v1/chat/completions';

const askOf: Server['bodyOf'] = (question, stream) => ({ question, ...(stream && { stream }) });

const completionOf: Server['bodyOf'] = (content, stream) => ({
  model: 'gpt-4o',
  messages: [{ role: 'user', content }],
  ...(stream && { stream }),
});

/** Starts a function behind its route. As on Azure, the host is another process than the worker: the benchmark. */
const functionOf =
  (subject: Subject, route: string, bodyOf: Server['bodyOf']): StartServer =>
  async (environment, modelUrl) => {
    const worker = await environment.start(subject, { AZURE_OPENAI_ENDPOINT: modelUrl }, route);
    return Object.assign(worker, { streams: subject === 'app', bodyOf });
  };

/** Returns how each server is started, by name. @throws Error with npm's output when the gateway cannot be installed. */
export async function preparePeers(environment: Environment) {
  return {
    app: functionOf('app', 'ask', askOf),
    sample: functionOf('client-per-request', 'ask', askOf),
    completions: functionOf('app', COMPLETIONS, completionOf),
    gateway: await installGateway(environment),
  } satisfies Record<string, StartServer>;
}

async function installGateway({ folder: parent }: Environment): Promise<StartServer> {
  const folder = join(parent, 'gateway');
  const npm = process.env['npm_execpath'];
  if (npm === undefined) throw new Error('This part needs npm: start it by "npm run bench".');
  mkdirSync(folder);
  writeFileSync(join(folder, 'package.json'), JSON.stringify(GATEWAY));
  const args = ['install', '--no-audit', '--no-fund', '--ignore-scripts'];
  const { code, output } = await runNode([npm, ...args], { cwd: folder });
  if (code !== 0) throw new Error(`npm cannot install the gateway:\n${output}`);
  return (environment, modelUrl) =>
    onFreePort(async (port) => {
      const gateway = await startGateway(environment, { folder, port, modelUrl });
      return environment.own(gateway, () => gateway.stop());
    });
}

/** Its documentation: github.com/Portkey-AI/gateway. Without TRUSTED_CUSTOM_HOSTS it calls no address of this machine. */
async function startGateway(
  { services }: Environment,
  { folder, port, modelUrl }: { folder: string; port: number; modelUrl: string },
): Promise<Server> {
  const program = join(folder, 'node_modules/@portkey-ai/gateway/build/start-server.js');
  const child = startNode([program, '--headless', `--port=${port}`], {
    cwd: folder,
    env: {
      PATH: process.env['PATH'],
      NODE_ENV: 'production',
      NODE_EXTRA_CA_CERTS: services.certificatePath,
      TRUSTED_CUSTOM_HOSTS: 'localhost',
    },
  });
  // It prints that it is ready a second later than it is.
  while (!(await isListening(port, '127.0.0.1'))) {
    if (child.process.exitCode !== null) throw new Error(`The gateway ended:\n${child.output}`);
    await delay(2);
  }
  return {
    url: `http://127.0.0.1:${port}`,
    path: `/${COMPLETIONS}`,
    headers: {
      authorization: `Bearer ${services.apiKey}`,
      'x-portkey-provider': 'openai',
      'x-portkey-custom-host': `${modelUrl}/openai/v1`,
    },
    process: child.process,
    streams: true,
    bodyOf: completionOf,
    stop: () => child.kill(),
  };
}
