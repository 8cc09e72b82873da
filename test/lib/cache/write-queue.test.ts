/** Background writes: all are carried out, without blocking the event loop. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { WriteQueue } from '../../../src/lib/cache/cache-tier.ts';

/** Counts turns of the event loop until `work` is done. */
async function turnsOf(work: Promise<unknown>): Promise<number> {
  const state = { done: false };
  void work.finally(() => (state.done = true));
  let turns = 0;
  for (; !state.done; turns++) await nextTurn();
  return turns;
}

it('carries out many small writes in few turns of the event loop, in order', async () => {
  const queue = new WriteQueue(1000);
  const written: number[] = [];
  const writes = Array.from({ length: 900 }, (_, index) => queue.add(async () => void written.push(index)));
  expect(await turnsOf(Promise.all(writes))).toBeLessThan(450);
  expect(written).toEqual(Array.from({ length: 900 }, (_, index) => index));
});

async function slow(): Promise<void> {
  const end = performance.now() + 3;
  while (performance.now() < end);
}

it('lets other work run between slow writes', async () => {
  const queue = new WriteQueue(10);
  const writes = Array.from({ length: 5 }, () => queue.add(slow));
  expect(await turnsOf(Promise.all(writes))).toBeGreaterThanOrEqual(5);
});

it('refuses writes when it is full, and continues after a failed write', async () => {
  const queue = new WriteQueue(1);
  const failed = queue.add(() => Promise.reject(new Error('disk full')));
  const second = queue.add(async () => {});
  await expect(queue.add(async () => {})).rejects.toThrow('the write queue is full');
  await expect(failed).rejects.toThrow('disk full');
  await second;
});
