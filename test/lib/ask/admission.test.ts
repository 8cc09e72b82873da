/** Admission control: how many questions are looked up at once. */
import { expect, it } from 'vitest';
import { Admission } from '../../../src/lib/ask/admission.ts';

/** Lets questions in until one is refused. Returns the functions that end their lookups. */
function fill(admission: Admission): (() => void)[] {
  const leave: (() => void)[] = [];
  for (;;) {
    try {
      leave.push(admission.enter());
    } catch (error) {
      expect(error).toMatchObject({ status: 503, code: 'busy', retryAfter: 1 });
      return leave;
    }
  }
}

it('lets fewer questions in while the model is full', () => {
  let isFull = false;
  const admission = new Admission(() => isFull);
  const leave = fill(admission);
  expect(leave).toHaveLength(256);
  expect(() => admission.check()).toThrow(expect.objectContaining({ code: 'busy' }));
  for (const each of leave) each();
  isFull = true;
  expect(fill(admission)).toHaveLength(32);
});

it('counts a question once, however often its lookup ends', () => {
  const admission = new Admission(() => true);
  const [first, second] = fill(admission);
  first?.();
  first?.();
  expect(fill(admission)).toHaveLength(1);
  second?.();
  expect(() => admission.check()).not.toThrow();
});
