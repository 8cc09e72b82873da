/** The kinds of questions whose CPU time is measured: user and system time of the worker, without a functions host. */
import { randomUUID } from 'node:crypto';
import type { Environment } from '../harness/environment.ts';
import { type Body, load, type Target } from '../harness/load.ts';
import { cpuTime } from '../harness/process-usage.ts';
import type { WorkerProcess } from '../harness/worker-process.ts';

/** Connections of the caller. */
export const CONNECTIONS = 8;
/** Questions of a round. */
export const REQUESTS = 1000;
const STREAMS = 500;
/** Tokens of a streamed answer. */
export const TOKENS = 200;
/** Their text. */
export const TOKENS_TEXT = Array.from({ length: TOKENS }, (_, index) => `word${index}`).join(' ');
/** Interactions of a known session: as many as the history has at most. */
const INTERACTIONS = 10;
/** Sessions of ten interactions. A round uses each of them several times. */
const SESSIONS = 100;

/** A kind of question. `prepare` is not measured. */
export interface Scenario {
  name: string;
  /** Ratio to the constant function. */
  target: number;
  requests: number;
  prepare: (environment: Environment, app: WorkerProcess) => Promise<Body>;
}

/** A question that is neither cached nor in a known session. */
export const newQuestion: Body = () => ({ question: randomUUID() });
/** A question that is cached once it was asked. */
export const askCapital: Body = () => ({ question: 'What is the capital of France?' });

/** All of them. */
export const SCENARIOS: Scenario[] = [
  {
    name: 'cached, new session',
    target: 2.2,
    requests: REQUESTS,
    async prepare(_, app) {
      await load(app, 1, 1, askCapital);
      return askCapital;
    },
  },
  {
    name: `cached, session with ${INTERACTIONS} interactions`,
    target: 3,
    requests: REQUESTS,
    async prepare(_, app) {
      const sessions = Array.from({ length: SESSIONS }, () => randomUUID());
      // All sessions get the same interactions, so that a question has the same prompt in each of them.
      for (let index = 0; index < INTERACTIONS; index++) {
        const question = `Question ${index}`;
        await load(app, 1, 1, () => ({ question, session_id: sessions[0] }));
        await load(app, CONNECTIONS, SESSIONS - 1, (at) => ({ question, session_id: sessions[at + 1] }));
      }
      return knownSessions(app, sessions);
    },
  },
  { name: 'asked, model at 0 ms', target: 3.5, requests: REQUESTS, prepare: async () => newQuestion },
  {
    name: `streamed, ${TOKENS} tokens`,
    target: 7,
    requests: STREAMS,
    async prepare(environment) {
      await environment.behave({ answers: { content: TOKENS_TEXT, count: STREAMS } });
      return () => ({ question: randomUUID(), stream: true });
    },
  },
];

/** Asks each session the same questions in turn, and each question once before, so that the others are cached. */
async function knownSessions(app: WorkerProcess, sessions: string[]): Promise<Body> {
  const [first, ...others] = sessions;
  for (let index = 0; index * others.length < REQUESTS; index++)
    await load(app, 1, 1, () => ({ question: `Follow-up ${index}`, session_id: first }));
  return (index) => ({
    question: `Follow-up ${Math.floor(index / others.length)}`,
    session_id: others[index % others.length],
  });
}

/** CPU milliseconds of the worker for each question of a scenario, on empty storage. */
export async function cpuOfScenario(
  environment: Environment,
  worker: WorkerProcess,
  { prepare, requests }: Scenario,
): Promise<number> {
  await environment.emptyStorage();
  return cpuPerRequest(worker, requests, await prepare(environment, worker));
}

/** CPU milliseconds of the process for each of `requests` requests. */
export async function cpuPerRequest(
  server: Target & Pick<WorkerProcess, 'process'>,
  requests: number,
  body: Body,
): Promise<number> {
  const pid = server.process.pid ?? 0;
  const before = cpuTime(pid);
  await load(server, CONNECTIONS, requests, body);
  return (cpuTime(pid) - before) / requests;
}
