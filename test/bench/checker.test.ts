/** The checker of npm run soak and npm run crash: it reports each kind of wrong history, and no other. */
import { describe, expect, it } from 'vitest';
import { answerTo, type Interaction, SYSTEM_PROMPT } from '../../bench/soak/answers.ts';
import { checkAnswer } from '../../bench/soak/compare.ts';
import { SessionModel, type TurnState } from '../../bench/soak/checker.ts';
import { undocumented, undocumentedEvent } from '../../bench/soak/contract.ts';
import { ErrorJudge } from '../../bench/soak/errors.ts';
import { fitLine, growthOf, isTooFast } from '../../bench/soak/growth.ts';
import type { Stall } from '../../bench/soak/stalls.ts';
import { Violations } from '../../bench/soak/violations.ts';
import { answerExample } from '../../src/lib/contract/openapi/components.ts';

const SESSION = 'session-1';
const question = (number: number): string => `${SESSION}: ${number}`;
const interaction = (number: number): Interaction => ({
  question: question(number),
  answer: `answer ${number}`,
});

/** A session in which the questions 1 to 3 were stored. */
function storedSession(violations: Violations): SessionModel {
  const session = new SessionModel(SESSION, violations);
  for (const number of [1, 2, 3]) {
    const turn = session.begin(question(number));
    Object.assign(turn, { answer: `answer ${number}`, state: 'stored' satisfies TurnState, ended: true });
  }
  return session;
}

/** The kinds of violations that the checker reports when the app shows these interactions. */
function kindsOf(shown: Interaction[], change: (session: SessionModel) => void = () => {}): string[] {
  const violations = new Violations();
  const session = storedSession(violations);
  change(session);
  session.compare(shown, 'read');
  expect(violations.total).toBe(violations.details.length);
  return violations.details.map(({ kind }) => kind);
}

const [first, second, third] = [interaction(1), interaction(2), interaction(3)];

const leave = (session: SessionModel): void => void session.begin(question(4));
const refuse = (session: SessionModel): void => void (session.begin(question(4)).state = 'refused');

describe('a session', () => {
  it.each<[string, Interaction[], string[]]>([
    ['as it was stored', [first, second, third], []],
    ['without an interaction', [first, third], ['lost']],
    ['with an interaction twice', [first, second, second, third], ['doubled']],
    ['in another order', [second, first, third], ['reordered']],
    [
      "with another session's interaction",
      [first, second, third, { question: 'session-2: 1', answer: '' }],
      ['foreign'],
    ],
    ['with another answer', [first, { ...second, answer: 'answer 3' }, third], ['wrong']],
    ['with a question that was never asked', [first, second, third, interaction(4)], ['wrong']],
  ])('%s', (_, shown, kinds) => {
    expect(kindsOf(shown)).toEqual(kinds);
  });

  it('that was deleted must be empty', () => {
    expect(kindsOf([], (session) => session.forget())).toEqual([]);
    expect(kindsOf([second], (session) => session.forget())).toEqual(['wrong']);
  });

  it('may have an interaction of unknown outcome once, anywhere, also after a reset', () => {
    const fourth = interaction(4);
    expect(kindsOf([first, second, third], leave)).toEqual([]);
    expect(kindsOf([first, fourth, second, third], leave)).toEqual([]);
    expect(kindsOf([first, fourth, second, third, fourth], leave)).toEqual(['doubled']);
    const reset = (session: SessionModel): void => {
      leave(session);
      session.forget();
    };
    expect(kindsOf([fourth], reset)).toEqual([]);
  });

  it('must not have a refused question', () => {
    expect(kindsOf([first, second, third, interaction(4)], refuse)).toEqual(['wrong']);
  });
});

/** Checks an answer to question 2 after question 1. The model got `prompt` as its history. */
function kindsOfAnswer(prompt: Interaction[], fromCache: boolean, saved = true): string[] {
  const violations = new Violations();
  const errors = new ErrorJudge(violations);
  const session = new SessionModel(SESSION, violations);
  Object.assign(session.begin(first.question), { answer: first.answer, state: 'stored', ended: true });
  const turn = session.begin(question(2));
  const messages = prompt.flatMap((past) => [
    { role: 'user', content: past.question },
    { role: 'assistant', content: past.answer },
  ]);
  const answer = answerTo(
    [{ role: 'system', content: SYSTEM_PROMPT }, ...messages, { role: 'user', content: turn.question }],
    1,
  );
  const metrics = answerExample.performance_metrics;
  const history = [first, { question: turn.question, answer }];
  checkAnswer(
    session,
    turn,
    {
      answer,
      session_id: SESSION,
      status: 'success',
      finish_reason: 'stop',
      chat_history: history.flatMap((each) => [
        { role: 'human' as const, content: each.question },
        { role: 'ai' as const, content: each.answer },
      ]),
      performance_metrics: {
        ...metrics,
        from_cache: fromCache,
        cache: { ...metrics.cache, result: fromCache ? 'hit' : 'miss' },
        history_available: true,
        history_saved: saved,
      },
    },
    { violations, errors },
  );
  errors.judge([]);
  return violations.details.map(({ kind }) => kind);
}

describe('an answer', () => {
  it('to the prompt with the history of the session', () => {
    expect(kindsOfAnswer([first], false)).toEqual([]);
    expect(kindsOfAnswer([first], true)).toEqual([]);
  });

  it('to another prompt', () => {
    expect(kindsOfAnswer([], false)).toEqual(['wrong']);
    expect(kindsOfAnswer([], true)).toEqual(['wrong cached']);
    expect(kindsOfAnswer([second], true)).toEqual(['wrong cached']);
  });

  it('that was not stored although no fault is on', () => {
    expect(kindsOfAnswer([first], false, false)).toEqual(['unexpected error']);
  });
});

/** Judges an error during a fault, one of another class, and one that came too late. */
const judge = (stalls: Stall[]): [number, Violations] => {
  const violations = new Violations();
  const errors = new ErrorJudge(violations);
  const window = errors.begin('storage', ['history_unavailable']);
  window.offAt = performance.now();
  errors.note('history_unavailable', performance.now(), 'ask');
  errors.note('model_unavailable', performance.now(), 'ask');
  window.offAt -= 31_000;
  errors.note('history_unavailable', performance.now(), 'ask');
  errors.judge(stalls);
  return [window.errors.get('history_unavailable') ?? 0, violations];
};

describe('an error', () => {
  it('is allowed for 30 s after a fault that may cause it', () => {
    const [allowed, violations] = judge([]);
    expect(allowed).toBe(1);
    expect(violations.details.map(({ detail }) => detail)).toEqual([
      'model_unavailable (ask)',
      'history_unavailable (ask)',
    ]);
  });

  it('of storage is excused by a stall of the machine', () => {
    const [, violations] = judge([{ from: 0, to: performance.now(), ms: 100 }]);
    expect(violations.details.map(({ detail }) => detail)).toEqual(['model_unavailable (ask)']);
  });
});

const error = (code: string) => ({ status: 'Try again.', error: { code } });

it('a response that the OpenAPI document does not describe is reported', () => {
  const type = 'application/json';
  const ask = (status: number, body: unknown, as = type) =>
    undocumented('/ask', 'POST', { status, type: as, body });
  expect(ask(200, answerExample)).toBeNull();
  expect(ask(200, { answer: 'only this' })).toContain('not as documented');
  expect(ask(502, error('model_unavailable'))).toBeNull();
  expect(ask(503, error('model_unavailable'))).toBe('status 503 with model_unavailable');
  expect(ask(418, error('model_unavailable'))).toBe('status 418');
  expect(ask(500, 'Internal Server Error', 'text/plain')).toContain('text/plain');
  expect(undocumentedEvent('token', { text: 'a' })).toBeNull();
  expect(undocumentedEvent('token', {})).toContain('not as documented');
  expect(undocumentedEvent('message', {})).toBe('the event "message"');
});

const samplesOf = (seconds: number, rssMbOf: (at: number) => number) =>
  Array.from({ length: 101 }, (_, index) => {
    const at = (index * seconds) / 100;
    const rest = { handles: 50, sockets: 20, files: null, loopDelayMs: 10, cacheFileMb: 1 };
    return { at, rssMb: rssMbOf(at), ...rest };
  });

describe('growth', () => {
  it('is the slope of the second half', () => {
    expect(
      fitLine([
        [0, 1],
        [1, 3],
        [2, 5],
      ])?.slope,
    ).toBeCloseTo(2, 9);
    expect(
      fitLine([
        [1, 1],
        [1, 2],
      ]),
    ).toBeNull();
  });

  it('is judged in a run that is long enough, after the first half', () => {
    const leak = growthOf(samplesOf(3600, (at) => 200 + at / 36)).filter(isTooFast);
    expect(leak.map(({ figure }) => figure)).toEqual(['rssMb']);
    expect(leak[0]?.perHour).toBeCloseTo(100, 6);
    expect(growthOf(samplesOf(3600, (at) => Math.min(300, 200 + at))).filter(isTooFast)).toEqual([]);
    expect(growthOf(samplesOf(60, (at) => 200 + at)).filter(isTooFast)).toEqual([]);
  });
});
