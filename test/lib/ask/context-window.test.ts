/** The part of the chat history that is sent to the model. */
import * as fc from 'fast-check';
import { countTokens } from 'gpt-tokenizer/encoding/o200k_base';
import { expect, it } from 'vitest';
import { buildPrompt, dropOlderHalf, fitHistory } from '../../../src/lib/ask/prompt.ts';

const plain = { disallowedSpecial: new Set<string>() };
const tokensOf = (texts: string[]): number => texts.reduce((sum, text) => sum + countTokens(text, plain), 0);

const turn = (name: string) => ({ question: `q${name}`, answer: `a${name}` });

it('contains as many of the newest whole interactions as fit', async () => {
  const text = fc.oneof(
    fc.lorem({ maxCount: 30 }),
    fc.constantFrom('', '<|endoftext|>', '💥'.repeat(40), '中文字符'.repeat(30), 'a'.repeat(300)),
  );
  const interactions = fc.array(fc.record({ question: text, answer: text }), { maxLength: 12 });
  await fc.assert(
    fc.asyncProperty(interactions, fc.integer({ min: 0, max: 600 }), async (all, limit) => {
      const fitting = await fitHistory(all, limit, 'gpt-4o-2024-11-20');
      expect(fitting).toEqual(all.slice(all.length - fitting.length));
      expect(tokensOf(fitting.flatMap(Object.values) as string[])).toBeLessThanOrEqual(limit);
      // One more interaction would exceed the limit.
      const more = all.slice(Math.max(0, all.length - fitting.length - 1));
      if (more.length > fitting.length) {
        expect(tokensOf(more.flatMap(Object.values) as string[])).toBeGreaterThan(limit);
      }
    }),
    { numRuns: 300, examples: [[[turn(''), { question: '', answer: '' }], 0]] },
  );
});

it('is computed without blocking the event loop, whatever the text', async () => {
  const strange = ['a', '中文', ' ', '💥'].map((unit) => unit.repeat(50_000));
  let done = false;
  const fitting = fitHistory(
    strange.map((text) => ({ question: text, answer: text })),
    300_000,
    undefined,
  ).finally(() => (done = true));
  // Other work runs before the computation ends.
  for (let others = 0; others < 20; others++) await new Promise(setImmediate);
  expect(done).toBe(false);
  expect((await fitting).length).toBeLessThan(4);
});

it('is estimated for a model whose encoding is not known', async () => {
  const interactions = ['1', '2', '3'].map(() => ({ question: 'x'.repeat(100), answer: 'y'.repeat(100) }));
  const fitting = async (limit: number) => (await fitHistory(interactions, limit, 'llama3.2')).length;
  // A token has at least 2 bytes on average, so an interaction has at most 100 tokens.
  expect([await fitting(99), await fitting(100), await fitting(299), await fitting(300)]).toEqual([
    0, 1, 2, 3,
  ]);
});

it('is reduced to its newer half when the model refuses it as too long', () => {
  const prompt = buildPrompt('s', ['1', '2', '3'].map(turn), 'now');
  const shorter = dropOlderHalf(prompt);
  expect(shorter).toEqual(buildPrompt('s', [turn('3')], 'now'));
  expect(dropOlderHalf(shorter ?? [])).toEqual(buildPrompt('s', [], 'now'));
  expect(dropOlderHalf(buildPrompt('s', [], 'now'))).toBeNull();
});
