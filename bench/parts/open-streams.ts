/** How many streams one instance holds open, what the next one gets, and the memory of each. */
import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { Agent, request } from 'undici';
import type { Arena } from '../harness/contestants.ts';
import { residentMemory, watchMemory } from '../harness/process-usage.ts';

/** More than twice the default of MODEL_MAX_CONCURRENCY. */
const STREAMS = 1100;
/** Streams opened a second. */
const RATE = 200;
const TOKENS = 60;
const TOKEN_MS = 250;
const WARM_UP_STREAMS = 100;

/** The results. Memory in MB, times in milliseconds. */
export interface OpenStreams {
  asked: number;
  /** The most streams that had a first token and were not complete, at one time. */
  openAtOnce: number;
  /** Streams that ended with the whole answer, those that had waited for a place included. */
  completed: number;
  /** Replies that are not streams, by status and code. */
  refused: Record<string, number>;
  /** Of refusals: the slowest one. */
  slowestRefusalMs: number;
  /** Streams that ended without an answer and without an error. */
  broken: number;
  beforeMb: number;
  peakMb: number;
}

/** Opens more streams than the default settings allow. The answer takes 15 s, so that all are open at once. */
export async function measureStreams(arena: Arena): Promise<OpenStreams> {
  const content = Array.from({ length: TOKENS }, (_, index) => `word${index}`).join(' ');
  const host = await arena.startHost('app');
  const pid = host.process.pid ?? 0;
  const agent = new Agent({
    connections: STREAMS,
    pipelining: 1,
    headersTimeout: 60_000,
    bodyTimeout: 60_000,
  });
  const result: OpenStreams = {
    asked: STREAMS,
    openAtOnce: 0,
    completed: 0,
    refused: {},
    slowestRefusalMs: 0,
    broken: 0,
    beforeMb: 0,
    peakMb: 0,
  };
  let open = 0;
  const stream = async (): Promise<void> => {
    const sentAt = performance.now();
    const response = await request(`${host.url}/ask`, {
      dispatcher: agent,
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ question: randomUUID(), stream: true }),
    });
    let text = '';
    let isOpen = false;
    for await (const chunk of response.body) {
      text = (text + String(chunk)).slice(-20_000);
      if (isOpen || response.statusCode !== 200 || !text.includes('event: token')) continue;
      isOpen = true;
      result.openAtOnce = Math.max(result.openAtOnce, ++open);
    }
    if (isOpen) open--;
    if (text.includes('event: done')) result.completed++;
    else if (response.statusCode === 200) result.broken++;
    else {
      const name = `${response.statusCode} ${/"code":\s*"(\w+)"/.exec(text)?.[1] ?? 'none'}`;
      result.refused[name] = (result.refused[name] ?? 0) + 1;
      result.slowestRefusalMs = Math.max(result.slowestRefusalMs, performance.now() - sentAt);
    }
  };
  try {
    await arena.emulator.behave({});
    await Promise.all(Array.from({ length: WARM_UP_STREAMS }, stream));
    Object.assign(result, { completed: 0, openAtOnce: 0 });
    await arena.emulator.behave({ tokenDelayMs: TOKEN_MS, answers: { content, count: STREAMS } });
    result.beforeMb = residentMemory(pid);
    const memory = watchMemory(pid);
    const all: Promise<void>[] = [];
    for (let index = 0; index < STREAMS; index++) {
      all.push(stream().catch(() => void result.broken++));
      if (index % 10 === 9) await delay((1000 * 10) / RATE);
    }
    await Promise.all(all);
    result.peakMb = memory.stop();
    return result;
  } finally {
    await agent.destroy();
    await host.stop();
    await arena.emptyStorage().catch(() => {});
  }
}
