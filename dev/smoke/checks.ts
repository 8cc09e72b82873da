/** The checks of the smoke test, in their order. They leave no session behind. */
import { randomUUID } from 'node:crypto';
import { health, ready, session } from '../../src/lib/contract/responses.ts';
import { readSessionResult } from '../../src/lib/contract/tools.ts';
import { ask, type Asked, parsed, send, type Target } from './client.ts';
import { callTool, MCP_REVISION } from './mcp-call.ts';

/** One check. It returns what is worth knowing, and throws an Error that says what is wrong. */
export interface Check {
  name: string;
  run(target: Target, run: SmokeRun): Promise<string>;
}

/** What the checks share. */
export interface SmokeRun {
  sessionId: string;
  /** The uncached answers so far. */
  asked: Asked[];
}

/** Creates the state of a run. */
export const createRun = (): SmokeRun => ({ sessionId: `smoke-${randomUUID()}`, asked: [] });

/** A deployed app may have several instances, each with its own cache and connections. */
const INSTANCES = 10;
const UNCACHED = { 'cache-control': 'no-cache' };
const NAME = 'Zelda';

export const CHECKS: readonly Check[] = [
  { name: 'health', run: checkHealth },
  { name: 'ready', run: checkReady },
  { name: 'ask', run: checkAsk },
  { name: 'follow-up', run: checkFollowUp },
  { name: 'stream', run: checkStream },
  { name: 'cached', run: checkCached },
  { name: 'connection reused', run: checkReuse },
  { name: 'session read', run: checkSession },
  { name: 'mcp', run: checkMcp },
  { name: 'session deleted', run: checkDelete },
];

/** @throws Error with `message` when `condition` is false. */
function expect(condition: boolean, message: string): asserts condition {
  if (!condition) throw new Error(message);
}

async function checkHealth(target: Target): Promise<string> {
  parsed(health, await (await send(target, '/health', 200)).json(), '/health');
  return '';
}

async function checkReady(target: Target): Promise<string> {
  const { checks } = parsed(ready, await (await send(target, '/health/ready', 200)).json(), '/health/ready');
  return Object.entries(checks)
    .map(([name, state]) => `${name} ${state}`)
    .join(', ');
}

async function checkAsk(target: Target, run: SmokeRun): Promise<string> {
  const asked = await ask(target, { question: `My name is ${NAME}.`, session_id: run.sessionId }, UNCACHED);
  run.asked.push(asked);
  const { performance_metrics: metrics, session_id: id } = asked.answer;
  expect(id === run.sessionId, 'The answer belongs to another session.');
  expect(!metrics.from_cache && metrics.api_call_time > 0, 'The model was not called.');
  expect(metrics.total_time <= asked.ms / 1000, 'total_time is longer than the client waited.');
  expect(metrics.connection !== null, 'The connection to the model is not reported.');
  expect(metrics.history_saved, 'The interaction was not stored: history_saved is false.');
  return [metrics.model ?? 'a model without a name', metrics.connection.protocol, coldOrWarm(asked)].join(
    ', ',
  );
}

async function checkFollowUp(target: Target, run: SmokeRun): Promise<string> {
  const asked = await ask(target, { question: 'What is my name?', session_id: run.sessionId }, UNCACHED);
  run.asked.push(asked);
  const { answer, chat_history: history, performance_metrics: metrics } = asked.answer;
  expect(metrics.history_available, 'The chat history was not read: history_available is false.');
  expect(history.length === 4, `The chat history has ${history.length} messages instead of 4.`);
  expect(answer.includes(NAME), `The model does not know the name of the first question: "${answer}"`);
  return coldOrWarm(asked);
}

async function checkStream(target: Target, run: SmokeRun): Promise<string> {
  const fields = { question: 'Count from one to five.', session_id: run.sessionId, stream: true };
  const asked = await ask(target, fields, UNCACHED);
  run.asked.push(asked);
  expect(asked.tokens.length > 0, 'The stream had no tokens.');
  expect(asked.tokens.join('') === asked.answer.answer, 'The tokens are not the text of the answer.');
  const { time_to_first_token: first } = asked.answer.performance_metrics.timings;
  return `${asked.tokens.length} tokens, first after ${Math.round(1000 * first)} ms`;
}

async function checkCached(target: Target): Promise<string> {
  // A question that no earlier run asked. Each time starts a session of its own, so that the prompt is the same.
  const question = `Repeat the word ${randomUUID()}.`;
  for (let count = 1; count <= INSTANCES; count++) {
    const { answer, headers } = await ask(target, { question });
    const { performance_metrics: metrics, session_id: id } = answer;
    await send(target, `/sessions/${id}`, 204, { method: 'DELETE' });
    if (!metrics.from_cache) continue;
    expect(count > 1, 'The first answer to a new question came from the cache.');
    expect(headers.get('x-cache') === 'HIT', `X-Cache is ${headers.get('x-cache')} for a cached answer.`);
    expect(metrics.api_call_time === 0, 'api_call_time is not 0 for a cached answer.');
    return `${metrics.cache.tier} at request ${count}`;
  }
  throw new Error(`None of ${INSTANCES} answers to the same question came from the cache.`);
}

async function checkReuse(target: Target, run: SmokeRun): Promise<string> {
  for (let count = 1; count <= INSTANCES; count++) {
    const asked = await ask(target, { question: 'Say hello.', session_id: run.sessionId }, UNCACHED);
    run.asked.push(asked);
    const { connection, connection_reused: reused } = asked.answer.performance_metrics;
    if (reused && connection !== null && connection.requests_on_connection > 1)
      return `request ${connection.requests_on_connection} on connection ${connection.id}`;
  }
  throw new Error(`None of ${INSTANCES} questions reused a connection to the model.`);
}

async function checkSession(target: Target, { sessionId, asked }: SmokeRun): Promise<string> {
  const response = await send(target, `/sessions/${sessionId}`, 200);
  const { interaction_count: count } = parsed(session, await response.json(), '/sessions');
  expect(count === asked.length, `The session has ${count} interactions instead of ${asked.length}.`);
  return `${count} interactions`;
}

async function checkMcp(target: Target, { sessionId, asked }: SmokeRun): Promise<string> {
  const read = await callTool(target, 'read_session', { session_id: sessionId });
  const { interaction_count: count } = parsed(readSessionResult, read, 'read_session');
  expect(count === asked.length, `The tool sees ${count} interactions instead of ${asked.length}.`);
  return `revision ${MCP_REVISION}`;
}

async function checkDelete(target: Target, { sessionId }: SmokeRun): Promise<string> {
  await send(target, `/sessions/${sessionId}`, 204, { method: 'DELETE' });
  await send(target, `/sessions/${sessionId}`, 404);
  return '';
}

const coldOrWarm = ({ answer }: Asked): string =>
  answer.performance_metrics.cold_start ? 'cold start' : 'warm';
