/** What the emulated model says, and how it behaves with the options of npm start. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { answerTo } from '../../dev/azure-openai-emulator/answers.ts';
import { root } from '../../dev/stack/root.ts';
import { readOptions } from '../../dev/stack/start-options.ts';

const read = (file: string): string => readFileSync(join(root, file), 'utf8');

describe('the emulated model', () => {
  it('knows an answer to each question of the page and the documents', async () => {
    const examples = [...read('public/index.html').matchAll(/<li><button type="button">([^<]+)</g)];
    const calls = [...(read('README.md') + read('docs/api.md')).matchAll(/"question": "([^"…]+)"/g)];
    const questions = [...examples, ...calls].map(([, question = '']) => question);
    expect(questions.length).toBeGreaterThan(6);
    for (const question of questions) {
      const messages = [{ role: 'user', content: 'What is the capital of France?' }];
      expect([question, answerTo([...messages, { role: 'user', content: question }])]).not.toEqual([
        question,
        expect.stringContaining('I know only a few answers'),
      ]);
    }
  });

  it.each([
    ['Compare HTTP/1.1 and HTTP/2 in a table.', /^\| .*\n\|---\|/, 'Use HTTP/2 where many requests'],
    ['How do I retry a request?', /```typescript\n[^]+```/, 'Retry with a delay that doubles'],
    ['Write a haiku about cold starts.', /^[^\n]+\n[^\n]+\n[^\n]+$/, 'the first request wakes the code.'],
    ['What is serverless computing?', /^# Serverless[^]{1500,}$/, 'Serverless does not mean'],
  ])('answers with Markdown, and shortens its last answer: %s', (question, shape, shorter) => {
    const answer = answerTo([{ role: 'user', content: question }]);
    expect(answer).toMatch(shape);
    const messages = [question, answer, 'Shorter, please.'].map((content, index) => ({
      role: index === 1 ? 'assistant' : 'user',
      content,
    }));
    expect(answerTo(messages)).toContain(shorter);
  });
});

describe('an option of npm start', () => {
  afterEach(() => vi.useRealTimers());

  it('--limited allows a few requests a minute, and says when the next minute begins', () => {
    vi.useFakeTimers({ toFake: ['Date'], now: new Date('2026-01-01T00:00:15Z') });
    const { fault } = readOptions(['--limited']).behaviour ?? {};
    const next = typeof fault === 'function' ? fault : () => fault;
    expect(Array.from({ length: 7 }, next)).toEqual([
      ...Array.from({ length: 5 }, () => undefined),
      { kind: 'status', status: 429, retryAfter: '45' },
      { kind: 'status', status: 429, retryAfter: '45' },
    ]);
    vi.setSystemTime(new Date('2026-01-01T00:01:00Z'));
    expect(next()).toBeUndefined();
  });

  it('--failing fails some requests, in several ways', () => {
    const { fault } = readOptions(['--failing']).behaviour ?? {};
    const next = typeof fault === 'function' ? fault : () => fault;
    const kinds = new Set(Array.from({ length: 500 }, () => next()?.kind));
    expect(kinds).toEqual(new Set([undefined, 'status', 'reset', 'empty']));
  });

  it('--slow delays answers; two of these options are refused', () => {
    expect(readOptions(['--slow']).behaviour).toMatchObject({ latencyMs: 5000 });
    expect(() => readOptions(['--slow', '--failing'])).toThrow('Choose one of');
  });
});
