/** The cost of answers and the savings of the cache, with and without prices in the settings. */
import { expect, it } from 'vitest';
import { costOf } from '../../src/lib/model/cost.ts';
import { ask, startApp, type TestApp } from '../support/app.ts';
import { useApp } from '../support/fixture.ts';

const app = useApp({
  env: { MODEL_PRICES: 'input=2500,cached_input=1250,output=10000' },
});

const PRICES = { input: 2, cachedInput: 1, cacheWrite: 2.5, output: 10, longContext: null };

interface Ready {
  totals: { tokens: Record<string, number>; cost?: { spent: number; saved: number } };
}
const totals = async (from: TestApp): Promise<Ready['totals']> =>
  ((await (await fetch(`${from.url}/health/ready`)).json()) as Ready).totals;

it('reports the cost of a model call, the savings of the cache, and the totals', async () => {
  const uncached = (await ask(app, { question: 'What is the capital of France?' })).performance_metrics;
  const { prompt, completion, cached } = uncached.tokens;
  expect(prompt).toBeGreaterThan(0);
  expect(cached).toBe(0);
  const spent = (prompt * 2500 + completion * 10_000) / 1e6;
  expect(uncached.cost).toEqual({ spent: expect.closeTo(spent, 8) as number, saved: 0 });

  const hit = (await ask(app, { question: 'What is the capital of France?' })).performance_metrics;
  expect(hit.cost).toEqual({ spent: 0, saved: uncached.cost?.spent });
  expect((await totals(app)).cost).toEqual({ spent: uncached.cost?.spent, saved: uncached.cost?.spent });
});

it('counts the savings of coalesced questions', async () => {
  const before = (await totals(app)).cost ?? expect.unreachable();
  app.emulator.latencyMs = 300;
  const question = 'What is the capital of Kenya?';
  const answers = await Promise.all([1, 2, 3].map(() => ask(app, { question })));
  app.emulator.latencyMs = 0;
  const costs = answers.map(({ performance_metrics: metrics }) => metrics.cost ?? expect.unreachable());
  const price = Math.max(...costs.map(({ spent }) => spent));
  expect(costs.filter(({ spent }) => spent > 0)).toHaveLength(1);
  expect(costs.filter(({ saved }) => saved === price)).toHaveLength(2);
  const after = (await totals(app)).cost ?? expect.unreachable();
  expect(after.saved - before.saved).toBeCloseTo(2 * price, 8);
});

it('uses the lower price for cached prompt tokens', () => {
  const tokens = { prompt: 1000, cached: 400, cacheWrite: 0, completion: 100, reasoning: 0 };
  expect(costOf(PRICES, tokens)).toBeCloseTo(0.0026, 12);
});

it('uses the price of cache writes for the prompt tokens that were written', () => {
  const tokens = { prompt: 1000, cached: 400, cacheWrite: 200, completion: 100, reasoning: 0 };
  expect(costOf(PRICES, tokens)).toBeCloseTo(0.0027, 12);
});

it('multiplies the whole cost of a completion whose prompt is above the limit', () => {
  const prices = { ...PRICES, longContext: { tokens: 1000, input: 2, output: 1.5 } };
  const tokens = { prompt: 1000, cached: 400, cacheWrite: 200, completion: 100, reasoning: 0 };
  expect(costOf(prices, tokens)).toBeCloseTo(0.0027, 12);
  // 2 x (401 x 2 + 400 x 1 + 200 x 2.5) + 1.5 x 100 x 10
  expect(costOf(prices, { ...tokens, prompt: 1001 })).toBeCloseTo(0.004904, 12);
});

it('reports no cost when no price is set', async () => {
  const free = await startApp();
  try {
    expect(
      (await ask(free, { question: 'What is the capital of Japan?' })).performance_metrics,
    ).not.toHaveProperty('cost');
    expect(await totals(free)).not.toHaveProperty('cost');
  } finally {
    await free.stop();
  }
});
