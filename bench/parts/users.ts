/** What users feel: the app beside a sample of a function, and its OpenAI API beside a public gateway. */
import { randomUUID } from 'node:crypto';
import type { Cost } from '../../dev/figures/cost.ts';
import { startTcpProxy } from '../../dev/stack/tcp-proxy.ts';
import type { Environment } from '../harness/environment.ts';
import { type Body, load } from '../harness/load.ts';
import { preparePeers, type Server, type StartServer } from '../harness/peers.ts';
import { byTurns, costOf } from '../harness/turns.ts';
import { CONNECTIONS, cpuPerRequest, TOKENS, TOKENS_TEXT } from './scenarios.ts';

const CPU_REQUESTS = 500;
const FAR_MS = 40;
const FAR_REQUESTS = 160;
const REPEATED = 50;
const TOKEN_MS = 5;
const STREAMS = 5;
const CALLERS = 200;
const SLOW_MS = 200;
const SLOW_REQUESTS = 2000;

/** The figures, in milliseconds except for the number of connections. */
const FIGURES = {
  coldStart: 'First answer of a new process',
  asked: `Answer, model ${FAR_MS} ms away, median`,
  repeated: `Answer to a repeated question, model ${FAR_MS} ms away, median`,
  firstToken: `First text of ${TOKENS} tokens ${TOKEN_MS} ms apart, model ${FAR_MS} ms away, median`,
  connections: `Connections opened for ${FAR_REQUESTS} questions`,
  cpu: 'CPU of an answer, model at 0 ms',
  perAnswer: `Time per answer, ${CALLERS} connections, model at ${SLOW_MS} ms`,
  p99: `p99, ${CALLERS} connections, model at ${SLOW_MS} ms`,
};

type Measured = Record<keyof typeof FIGURES, number>;

/** The baselines by the side of the app that each is compared with. */
const PAIRS = {
  app: ['sample', 'a new client for each question'],
  completions: ['gateway', "Portkey's gateway"],
} as const;

/** Measures all of them by turns. */
export async function measureUsers(environment: Environment, rounds: number): Promise<Cost[]> {
  const { app, sample, completions, gateway } = await preparePeers(environment);
  const all = await byTurns(rounds, {
    app: () => measure(environment, app),
    sample: () => measure(environment, sample),
    completions: () => measure(environment, completions),
    gateway: () => measure(environment, gateway),
  });
  return Object.entries(FIGURES).flatMap(([figure, name]) =>
    // The gateway keeps its connections too.
    (figure === 'connections' ? (['app'] as const) : (['app', 'completions'] as const)).map((side) => {
      const [other, baseline] = PAIRS[side];
      return costOf(all, {
        name,
        baseline,
        sides: [side, other],
        unit: figure === 'connections' ? '' : 'ms',
        of: (measured) => measured[figure as keyof Measured],
      });
    }),
  );
}

async function measure(environment: Environment, start: StartServer): Promise<Measured> {
  const near = await measureNear(environment, start);
  return { ...near, ...(await measureFar(environment, start)) };
}

const newQuestion =
  ({ bodyOf }: Server): Body =>
  () =>
    bodyOf(randomUUID());

/** Measures a new process on empty storage, with the model on this machine. */
async function measureNear(environment: Environment, start: StartServer) {
  await environment.emptyStorage();
  await environment.behave({});
  const startedAt = performance.now();
  const server = await start(environment, environment.services.url);
  const body = newQuestion(server);
  await load(server, 1, 1, body);
  const coldStart = performance.now() - startedAt;
  // Warms up, so that V8 compiles the code.
  await load(server, CONNECTIONS, CPU_REQUESTS, body);
  const cpu = await cpuPerRequest(server, CPU_REQUESTS, body);
  await environment.behave({ latencyMs: SLOW_MS });
  await load(server, CALLERS, SLOW_REQUESTS / 2, body);
  const loadedAt = performance.now();
  const { times } = await load(server, CALLERS, SLOW_REQUESTS, body);
  const perAnswer = (performance.now() - loadedAt) / SLOW_REQUESTS;
  await server.stop();
  return { coldStart, cpu, perAnswer, p99: times.p99 ?? Number.NaN };
}

/** Measures a new process with the model at a distance. */
async function measureFar(environment: Environment, start: StartServer) {
  await environment.emptyStorage();
  await environment.behave({});
  const proxy = await startTcpProxy(Number(new URL(environment.services.url).port), FAR_MS / 2);
  const server = await start(environment, `https://localhost:${proxy.port}`);
  const body = newQuestion(server);
  await load(server, CONNECTIONS, CONNECTIONS, body);
  const { connections: before } = proxy;
  const { times: asked } = await load(server, CONNECTIONS, FAR_REQUESTS, body);
  const connections = proxy.connections - before;
  const { times: repeated } = await load(server, 1, REPEATED, () => server.bodyOf('Which one?'));
  const firstToken = await firstTokenOf(environment, server);
  await server.stop();
  await proxy.close();
  return { asked: asked.p50, repeated: repeated.p50, connections, firstToken };
}

/** The median time until a caller sees the first text. The sample answers as a whole. */
async function firstTokenOf(environment: Environment, server: Server): Promise<number> {
  // The emulator sends a plain answer at the time of the last token of a stream.
  const behaviour = { tokenDelayMs: TOKEN_MS, answers: { content: TOKENS_TEXT, count: STREAMS } };
  await environment.behave({ ...behaviour, latencyMs: server.streams ? 0 : TOKENS * TOKEN_MS });
  const { times, firstTokens } = await load(server, 1, STREAMS, () => server.bodyOf(randomUUID(), true));
  return firstTokens?.p50 ?? times.p50;
}
