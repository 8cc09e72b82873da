/**
 * `POST /v1/chat/completions` of the app beside a public gateway: the same requests by the same client to the same model.
 * The gateway has neither sessions nor an answer cache. It is installed from the npm registry when this part runs.
 */
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { isListening, onFreePort, runNode, startNode } from '../../dev/stack/child-process.ts';
import type { Cost } from '../../dev/figures/cost.ts';
import type { Environment } from '../harness/environment.ts';
import { type Body, load, type Target } from '../harness/load.ts';
import { cpuTime } from '../harness/process-usage.ts';
import { byTurns, type Comparison, costOf } from '../harness/turns.ts';
import { CONNECTIONS, REQUESTS } from './scenarios.ts';

const GATEWAY = '@portkey-ai/gateway@1.15.2';
const ROUTE = 'v1/chat/completions';
const CALLERS = 200;
const MODEL_MS = 200;
const FAR_REQUESTS = 3000;
const REPEATED = 100;

/** A server of the API in its own process. */
interface Server extends Target {
  pid: number;
  stop(): Promise<unknown>;
}

type Start = (environment: Environment) => Promise<Server>;

/** In milliseconds. */
interface Measured {
  coldStart: number;
  cpu: number;
  cpuRepeated: number;
  repeated: number;
  perAnswer: number;
  p99: number;
}

const SIDES = ['app', 'gateway'] as ['app', 'gateway'];

/** Measures both by turns. */
export async function measureGateway(environment: Environment, rounds: number): Promise<Cost[]> {
  const gateway = await installGateway(environment);
  const all = await byTurns(rounds, {
    app: () => measure(environment, startApp),
    gateway: () => measure(environment, gateway),
  });
  const cost = (name: string, of: Comparison<'app', Measured>['of']): Cost =>
    costOf(all, { name, baseline: "Portkey's gateway", sides: SIDES, of });
  const many = `${CALLERS} connections, model at ${MODEL_MS} ms`;
  return [
    cost('First answer of a new process', ({ coldStart }) => coldStart),
    cost('CPU, asked, model at 0 ms', ({ cpu }) => cpu),
    cost('CPU, repeated question', ({ cpuRepeated }) => cpuRepeated),
    cost(`p50, repeated question, model at ${MODEL_MS} ms`, ({ repeated }) => repeated),
    cost(`Time per answer, ${many}`, ({ perAnswer }) => perAnswer),
    cost(`p99, ${many}`, ({ p99 }) => p99),
  ];
}

const bodyOf = (content: string): object => ({ model: 'gpt-4o', messages: [{ role: 'user', content }] });
const newPrompt: Body = () => bodyOf(randomUUID());
const samePrompt: Body = () => bodyOf('What is the capital of France?');

/** Measures a new process on empty storage. */
async function measure(environment: Environment, start: Start): Promise<Measured> {
  await environment.emptyStorage();
  await environment.behave({});
  const startedAt = performance.now();
  const server = await start(environment);
  await load(server, 1, 1, newPrompt);
  const coldStart = performance.now() - startedAt;
  // Warms up, so that V8 compiles the code.
  await load(server, CONNECTIONS, REQUESTS, newPrompt);
  const cpu = await cpuOf(server, newPrompt);
  await load(server, 1, 1, samePrompt);
  const cpuRepeated = await cpuOf(server, samePrompt);
  await environment.behave({ latencyMs: MODEL_MS });
  const { times: repeated } = await load(server, 1, REPEATED, samePrompt);
  await load(server, CALLERS, FAR_REQUESTS / 2, newPrompt);
  const loadedAt = performance.now();
  const { times } = await load(server, CALLERS, FAR_REQUESTS, newPrompt);
  const perAnswer = (performance.now() - loadedAt) / FAR_REQUESTS;
  await server.stop();
  return { coldStart, cpu, cpuRepeated, repeated: repeated.p50, perAnswer, p99: times.p99 ?? Number.NaN };
}

/** CPU milliseconds for each request. */
async function cpuOf(server: Server, body: Body): Promise<number> {
  const before = cpuTime(server.pid);
  await load(server, CONNECTIONS, REQUESTS, body);
  return (cpuTime(server.pid) - before) / REQUESTS;
}

/** As on Azure, the host is another process than the worker: this one. */
async function startApp(environment: Environment): Promise<Server> {
  const worker = await environment.start('app', {}, ROUTE);
  return Object.assign(worker, { pid: worker.process.pid ?? 0 });
}

/** @throws Error with npm's output when the gateway cannot be installed. */
async function installGateway(environment: Environment): Promise<Start> {
  const folder = join(environment.folder, 'gateway');
  const npm = process.env['npm_execpath'];
  if (npm === undefined) throw new Error('This part needs npm: npm run bench -- gateway');
  const args = ['install', '--no-audit', '--no-fund', '--ignore-scripts', '--prefix', folder, GATEWAY];
  const { code, output } = await runNode([npm, ...args]);
  if (code !== 0) throw new Error(`npm cannot install ${GATEWAY}:\n${output}`);
  return () => onFreePort((port) => startGateway(environment, folder, port));
}

/** Its documentation: github.com/Portkey-AI/gateway. Without TRUSTED_CUSTOM_HOSTS it calls no address of this machine. */
async function startGateway({ services }: Environment, folder: string, port: number): Promise<Server> {
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
    path: `/${ROUTE}`,
    headers: {
      authorization: `Bearer ${services.apiKey}`,
      'x-portkey-provider': 'openai',
      'x-portkey-custom-host': `${services.url}/openai/v1`,
    },
    pid: child.process.pid ?? 0,
    stop: () => child.kill(),
  };
}
