/** Sends many questions to an app over a number of connections. */
import { randomUUID } from 'node:crypto';
import { type Dispatcher, Pool } from 'undici';
import { summarize, type Summary } from '../../dev/perf/statistics.ts';

/** Returns the body of the `index`-th request. */
export type Body = (index: number) => object;

/** An app: behind a functions host, or a worker that has to be told of each invocation. */
export interface Target {
  url: string;
  invoke?: (id: string) => void;
}

/** The results of a load. */
export interface Load {
  /** Duration of the requests, from sending to the last byte, in milliseconds. */
  times: Summary;
  /** From the first request to the end of the last, in milliseconds. */
  durationMs: number;
  /** How much later than they were sent the tokens arrived that carry this time, in milliseconds; null without any. */
  delays: Summary | null;
}

/** The time in a token: microseconds of the machine's monotonic clock. */
const SENT_AT = /@(\d+)/g;

/**
 * Sends `count` requests over `connections` connections. Each connection sends its next request after the last
 * response. With several targets, the requests alternate between them.
 * @throws Error when a status is not 200, or when a stream ends without its answer.
 */
export async function load(
  targets: Target | Target[],
  connections: number,
  count: number,
  body: Body,
): Promise<Load> {
  const pools = [targets].flat().map((target) => ({
    target,
    pool: new Pool(target.url, { connections, pipelining: 1 }),
  }));
  const times: number[] = [];
  const delays: number[] = [];
  let next = 0;
  const startedAt = performance.now();
  const ask = async (): Promise<void> => {
    while (next < count) {
      const sentAt = performance.now();
      const index = next++;
      const { pool, target } = pools[index % pools.length] ?? {};
      if (!pool) throw new Error('no target');
      const id = randomUUID();
      target?.invoke?.(id);
      const response = await pool.request({
        path: '/ask',
        method: 'POST',
        // A host adds all but the first.
        headers: {
          'content-type': 'application/json',
          'x-ms-invocation-id': id,
          'x-forwarded-host': 'localhost',
          'x-forwarded-proto': 'http',
        },
        body: JSON.stringify(body(index)),
      });
      const text = await read(response.body, delays);
      times.push(performance.now() - sentAt);
      if (response.statusCode !== 200 || !text.includes('"answer"')) {
        throw new Error(`a response with status ${response.statusCode}: ${text.slice(0, 500)}`);
      }
    }
  };
  try {
    await Promise.all(Array.from({ length: connections }, ask));
  } finally {
    await Promise.all(pools.map(({ pool }) => pool.destroy()));
  }
  const durationMs = performance.now() - startedAt;
  const summary = summarize(times);
  if (!summary) throw new Error('no requests were sent');
  return { times: summary, durationMs, delays: summarize(delays) };
}

async function read(body: Dispatcher.ResponseData['body'], delays: number[]): Promise<string> {
  let text = '';
  for await (const chunk of body.setEncoding('utf8')) {
    text += chunk;
    // The last event repeats the whole answer.
    if (text.includes('event: done')) continue;
    const now = Number(process.hrtime.bigint() / 1000n);
    for (const [, sentAt] of String(chunk).matchAll(SENT_AT)) delays.push((now - Number(sentAt)) / 1000);
  }
  return text;
}
