/** What users feel with a model at a distance of 40 ms: the app compared with a client as in many samples. */
import { randomUUID } from 'node:crypto';
import type { Cost } from '../../dev/figures/cost.ts';
import { startTcpProxy } from '../../dev/stack/tcp-proxy.ts';
import type { Environment, Subject } from '../harness/environment.ts';
import { type Body, load } from '../harness/load.ts';
import { cpuTime } from '../harness/process-usage.ts';
import { byTurns, type Comparison, costOf } from '../harness/turns.ts';
import { TOKENS } from './scenarios.ts';

const ONE_WAY_MS = 20;
const CONNECTIONS = 8;
const REQUESTS = 160;
const TOKEN_MS = 5;
const TEXT = Array.from({ length: TOKENS }, (_, index) => `word${index}`).join(' ');
const STREAMS = 5;

interface Asked {
  p50: number;
  /** For each question. */
  cpu: number;
  /** Connections to the model that were opened. */
  connections: number;
}

const newQuestion: Body = () => ({ question: randomUUID() });
const cachedQuestion: Body = () => ({ question: 'What is the capital of France?' });

/** Measures all of them by turns. */
export async function measureClients(environment: Environment, rounds: number): Promise<Cost[]> {
  await environment.behave({});
  const app = await startFar(environment, 'app');
  const perRequest = await startFar(environment, 'client-per-request');
  const all = await byTurns(rounds, {
    app: () => app.ask(newQuestion),
    // Otherwise the callers would wait for each other.
    cached: () => app.ask(cachedQuestion, 1),
    perRequest: () => perRequest.ask(newQuestion),
  });
  const first = await byTurns(rounds, {
    streamed: () => firstToken(environment, app, true),
    whole: () => firstToken(environment, app, false),
  });
  const far = `model at a distance of ${2 * ONE_WAY_MS} ms`;
  const fresh = 'a new client for each question';
  const p50 = { of: (asked: Asked) => asked.p50 };
  const cpu = { of: (asked: Asked) => asked.cpu };
  type Side = keyof (typeof all)[number];
  const cost = (name: string, rest: Omit<Comparison<Side, Asked>, 'name'>): Cost =>
    costOf<Side, Asked>(all, { name: `${name}, ${far}`, ...rest });
  return [
    cost('p50', { baseline: fresh, sides: ['app', 'perRequest'], ...p50 }),
    cost('CPU', { baseline: fresh, sides: ['app', 'perRequest'], ...cpu }),
    cost('p50, cached', { baseline: fresh, sides: ['cached', 'perRequest'], ...p50 }),
    cost(`Connections opened for ${REQUESTS} questions`, {
      baseline: fresh,
      sides: ['app', 'perRequest'],
      unit: '',
      of: ({ connections }) => connections,
    }),
    costOf(first, {
      name: `First token of ${TOKENS}, one each ${TOKEN_MS} ms, ${far}`,
      baseline: 'the whole answer at once',
      sides: ['streamed', 'whole'],
      of: (ms) => ms,
    }),
  ];
}

/** Starts a subject with the model at a distance. */
async function startFar(environment: Environment, subject: Subject) {
  const port = Number(new URL(environment.services.url).port);
  const proxy = environment.own(await startTcpProxy(port, ONE_WAY_MS), (each) => each.close());
  const worker = await environment.start(subject, {
    AZURE_OPENAI_ENDPOINT: `https://localhost:${proxy.port}`,
  });
  const pid = worker.process.pid ?? 0;
  return {
    worker,
    async ask(body: Body, callers = CONNECTIONS): Promise<Asked> {
      const before = { cpu: cpuTime(pid), connections: proxy.connections };
      const { times } = await load(worker, callers, REQUESTS, body);
      const cpu = (cpuTime(pid) - before.cpu) / REQUESTS;
      return { p50: times.p50, cpu, connections: proxy.connections - before.connections };
    },
  };
}

/** The median time until a caller sees the beginning of the answer. */
async function firstToken(
  environment: Environment,
  { worker }: Awaited<ReturnType<typeof startFar>>,
  stream: boolean,
): Promise<number> {
  // The emulator sends a plain answer at the time of the last token of a stream.
  const latencyMs = stream ? 0 : TOKENS * TOKEN_MS;
  await environment.behave({ latencyMs, tokenDelayMs: TOKEN_MS, answers: { content: TEXT, count: STREAMS } });
  const { times, firstTokens } = await load(worker, 1, STREAMS, () => ({ question: randomUUID(), stream }));
  await environment.behave({});
  return firstTokens?.p50 ?? times.p50;
}
