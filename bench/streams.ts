/**
 * The gain and the cost of streaming: `npm run bench:streams`. It measures the time to first token of streamed and
 * plain answers, and the memory of the app's process with 500 stalled readers. Linux only: memory is read from /proc.
 */
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { type IncomingMessage, request } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { type BenchApp, withApp } from './harness/app.ts';
import { median } from './harness/cost.ts';
import { readBenchOptions } from './harness/options.ts';

const READERS = 500;
const ANSWER_BYTES = 128 * 1024;
const TOKENS = 200;
const TOKEN_DELAY_MS = 5;

/** The help text. */
export const help = `npm run bench:streams

Measures and prints the time to first token of streamed and plain answers, and the memory of the app with 500 stalled
readers. Linux only.

  --help`;

/** Runs the measurements and prints the results. */
export async function main(args: string[]): Promise<void> {
  if (!readBenchOptions(args, help)) return;
  await withApp({ latencyMs: 100 }, async (app) => {
    await compareFirstTokens(app);
    await measureSlowReaders(app);
  });
}

async function compareFirstTokens(app: BenchApp): Promise<void> {
  const content = Array.from({ length: TOKENS }, (_, index) => `word${index}`).join(' ');
  app.emulator.tokenDelayMs = TOKEN_DELAY_MS;
  const times: Record<'stream' | 'plain', number[]> = { stream: [], plain: [] };
  for (let round = 0; round < 11; round++) {
    for (const how of ['stream', 'plain'] as const) {
      // The emulator sends a plain answer at the time of the last token of a stream.
      app.emulator.latencyMs = how === 'plain' ? 100 + TOKENS * TOKEN_DELAY_MS : 100;
      app.emulator.failNext({ kind: 'answer', content });
      const startedAt = performance.now();
      const response = await ask(app, how === 'stream');
      let text = '';
      for await (const chunk of response) {
        text += String(chunk);
        if (/event: token|"answer"/.test(text)) break;
      }
      times[how].push(performance.now() - startedAt);
      response.destroy();
      await delay(50);
    }
  }
  console.log(
    `first token of ${TOKENS}, 100 ms to begin and ${TOKEN_DELAY_MS} ms for each: streamed ${median(times.stream).toFixed(0)} ms, ` +
      `plain ${median(times.plain).toFixed(0)} ms`,
  );
  app.emulator.reset();
}

async function measureSlowReaders(app: BenchApp): Promise<void> {
  const memory = (): number => {
    const status = readFileSync(`/proc/${app.host.process.pid}/status`, 'utf8');
    return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1024;
  };
  const content = `${'x'.repeat(1023)} `.repeat(ANSWER_BYTES / 1024);
  const flood = async (slow: boolean): Promise<number> => {
    app.emulator.failNext(...Array.from({ length: READERS }, () => ({ kind: 'answer' as const, content })));
    let peak = 0;
    const watching = setInterval(() => (peak = Math.max(peak, memory())), 20);
    try {
      await Promise.all(
        Array.from({ length: READERS }, async () => {
          const response = await ask(app, true);
          if (slow) await delay(5000);
          await readToEnd(response);
        }),
      );
    } finally {
      clearInterval(watching);
    }
    return peak;
  };
  await flood(false);
  const before = memory();
  const fast = await flood(false);
  const slow = await flood(true);
  console.log(
    `${READERS} streams of ${ANSWER_BYTES / 1024} KB at once: ${before.toFixed(0)} MB before, ` +
      `${fast.toFixed(0)} MB with fast readers, ${slow.toFixed(0)} MB with readers that stop for 5 s`,
  );
}

function ask(app: BenchApp, stream: boolean): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const headers = { 'Content-Type': 'application/json' };
    const outgoing = request(`${app.url}/ask`, { method: 'POST', headers }, resolve);
    outgoing.once('error', reject);
    outgoing.end(JSON.stringify({ question: randomUUID(), stream }));
  });
}

async function readToEnd(response: IncomingMessage): Promise<void> {
  let tail = '';
  for await (const chunk of response) tail = (tail + String(chunk)).slice(-500_000);
  if (!tail.includes('event: done'))
    throw new Error(`a stream ended without its answer: ${tail.slice(-200)}`);
}
