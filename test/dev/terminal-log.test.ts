/** The lines that a terminal shows for questions. */
import { stripVTControlCharacters } from 'node:util';
import { expect, it } from 'vitest';
import { toReadable } from '../../dev/stack/terminal-log.ts';
import { ask, askForError, eventually, newQuestion } from '../support/app.ts';
import { streamFrom } from '../support/streamed.ts';
import { useFreshApp } from '../support/fixture.ts';

const app = useFreshApp();

it('are short, and say where each answer came from', async () => {
  await app.start();
  const question = newQuestion();
  await ask(app, { question });
  await ask(app, { question });
  await streamFrom(app, { question: newQuestion() });
  app.emulator.failNext({ kind: 'reset' });
  await ask(app, { question: newQuestion() });
  app.emulator.failNext({ kind: 'content_filter' });
  await askForError(app, { question: newQuestion() });
  const questions = () =>
    app
      .output()
      .split('\n')
      .filter((line) => line.includes('"event":"question"'));
  await eventually(() => questions().length === 5);
  const lines = questions().map((line) => stripVTControlCharacters(toReadable(line)));
  const time = String.raw`\d\d:\d\d:\d\d`;
  for (const [index, rest] of [
    String.raw`answered +\d+ ms  model, (new|reused) connection, cold start, \d+ \+ \d+ tokens`,
    String.raw`answered +\d+ ms  cached \(memory\)`,
    String.raw`answered +\d+ ms  model, reused connection, streamed, \d+ \+ \d+ tokens`,
    String.raw`answered +\d+ ms  model, (new|reused) connection, 2 attempts, \d+ \+ \d+ tokens`,
    String.raw`content_filtered +\d+ ms  model, reused connection`,
  ].entries()) {
    expect(lines[index]).toMatch(new RegExp(`^${time} ${rest}$`));
  }
});

it('leave all other lines as they are', () => {
  const line = '[12:00:00.000] warning ask: history_unavailable (RestError 503 ServerBusy)';
  expect(toReadable(line)).toBe(line);
  expect(toReadable('[invocation x] {"event":"question", cut')).toContain('cut');
});
