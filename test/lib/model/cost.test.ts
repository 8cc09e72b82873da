/** What a call may cost at most is an upper bound of what it costs. */
import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import type { Message } from '../../../src/lib/model/completion.ts';
import { costOf, mostCostOf } from '../../../src/lib/model/cost.ts';

const price = fc.double({ min: 0, max: 100, noNaN: true });
const prices = fc.record({
  input: price,
  cachedInput: price,
  cacheWrite: price,
  output: price,
  longContext: fc.option(
    fc.record({ tokens: fc.integer({ min: 1, max: 2000 }), input: fc.constant(2), output: fc.constant(1.5) }),
  ),
});
const text = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.string({ unit: 'grapheme' }),
  fc.lorem({ maxCount: 30 }),
);
const prompt = fc.array(
  fc.tuple(fc.constantFrom('system', 'human', 'ai'), text).map(([role, content]): Message => [role, content]),
  { minLength: 1, maxLength: 5 },
);

it('is not below the cost of any usage that the prompt and the limit of the output allow', async () => {
  const { encode } = await import('gpt-tokenizer/encoding/o200k_base');
  fc.assert(
    fc.property(
      prices,
      prompt,
      fc.nat(500),
      fc.double({ min: 0, max: 1, noNaN: true }),
      (paid, messages, limit, share) => {
        // As OpenAI counts: each message has 3 tokens beside its role and its text, and the answer begins with 3.
        const tokens = messages.reduce((sum, [, content]) => sum + encode(content).length + 4, 3);
        const cached = Math.floor(share * tokens);
        const usage = {
          prompt: tokens,
          cached,
          cacheWrite: tokens - cached,
          completion: limit,
          reasoning: 0,
        };
        const most = mostCostOf(paid, messages, { maxOutputTokens: limit });
        expect(most.prompt + most.answer).toBeGreaterThanOrEqual(costOf(paid, usage) * (1 - 1e-12));
      },
    ),
  );
});
