/** Asks an app many questions over a number of connections. */
import { Pool } from 'undici';
import { summarize, type Summary } from '../../dev/perf/statistics.ts';

/** What is asked: the body of the `index`-th request. */
export type Body = (index: number) => object;

/** How a load went. */
export interface Load {
  /** Of the requests, from sending to the last byte, in milliseconds. */
  times: Summary;
  /** From the first request to the end of the last, in milliseconds. */
  durationMs: number;
}

/**
 * Sends `count` requests, `connections` at a time, each as soon as the one before on its connection is answered.
 * @throws Error when one is not answered with 200, or a stream ends without its answer.
 */
export async function load(url: string, connections: number, count: number, body: Body): Promise<Load> {
  const pool = new Pool(url, { connections, pipelining: 1 });
  const times: number[] = [];
  let next = 0;
  const startedAt = performance.now();
  const ask = async (): Promise<void> => {
    while (next < count) {
      const sentAt = performance.now();
      const response = await pool.request({
        path: '/ask',
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body(next++)),
      });
      const text = await response.body.text();
      times.push(performance.now() - sentAt);
      if (response.statusCode !== 200 || !text.includes('"answer"')) {
        throw new Error(`an answer with status ${response.statusCode}: ${text.slice(0, 500)}`);
      }
    }
  };
  try {
    await Promise.all(Array.from({ length: connections }, ask));
  } finally {
    await pool.destroy();
  }
  const durationMs = performance.now() - startedAt;
  const summary = summarize(times);
  if (!summary) throw new Error('nothing was asked');
  return { times: summary, durationMs };
}
