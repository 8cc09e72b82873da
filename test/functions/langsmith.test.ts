/** Tracing with LangSmith, by its own settings: what a run contains, and what it does not. */
import { describe, expect, it } from 'vitest';
import { startLangSmithStandIn } from '../support/langsmith.ts';
import { ask, askForError, newQuestion } from '../support/app.ts';
import { streamFrom } from '../support/streamed.ts';
import { useFreshApp, useStarter } from '../support/fixture.ts';

const KEY = 'lsv2_pt_a-key-of-langsmith';

/** The beginning of each answer of the emulator to a new question. */
const ANSWER = 'I know only a few answers';

const langSmith = useStarter(startLangSmithStandIn, (running) => running.close());
const app = useFreshApp();

async function start(env: Record<string, string> = {}): Promise<void> {
  await langSmith.start();
  await app.start({
    env: { LANGSMITH_ENDPOINT: langSmith.url, LANGSMITH_API_KEY: KEY, LANGSMITH_TRACING: 'true', ...env },
  });
}

const received = (): string => langSmith.parts.map((part) => part.join(' ')).join('\n');

describe.each(['chat', 'responses'])('a question by the API %s', (MODEL_API) => {
  it('is a run with its model, parameters and tokens, without a text or a key', async () => {
    await start({ MODEL_API, MODEL_TEMPERATURE: '0.3' });
    const question = newQuestion();
    await ask(app, { question });
    const streamed = newQuestion();
    await streamFrom(app, { question: streamed });
    await app.stop();
    const runs = received();
    expect(runs).toContain('"run_type":"llm"');
    expect(runs).toContain('"name":"PooledChatModel"');
    expect(runs).toContain('"ls_model_name":"gpt-4o"');
    expect(runs).toContain('"ls_temperature":0.3');
    expect(runs.match(/"usage_metadata":\{"input_tokens":\d+/g)).not.toBeNull();
    for (const text of [question, streamed, ANSWER, app.emulator.apiKey, KEY])
      expect(runs).not.toContain(text);
    expect([...langSmith.keys]).toEqual([KEY]);
  });

  it('is a run with its texts when the settings say so', async () => {
    await start({ MODEL_API, LANGSMITH_HIDE_INPUTS: 'false', LANGSMITH_HIDE_OUTPUTS: 'false' });
    const question = newQuestion();
    await ask(app, { question });
    await app.stop();
    expect(received()).toContain(question);
    expect(received()).toContain(ANSWER);
    expect(received()).not.toContain(app.emulator.apiKey);
  });
});

it('a call that failed is a run without the message of its error', async () => {
  await start();
  const secret = 'a message that quotes the prompt';
  app.emulator.fault = { kind: 'status', status: 400, message: secret };
  await askForError(app, { question: newQuestion() });
  await app.stop();
  expect(received()).toContain('Its message is hidden');
  expect(received()).not.toContain(secret);
});

it('questions are answered when LangSmith refuses, and the log says so without its text', async () => {
  await start();
  langSmith.status = 403;
  await ask(app, { question: newQuestion() });
  await app.stop();
  expect(app.output()).toContain('LangSmith did not take runs (1 times so far): 403');
  expect(app.output()).not.toContain('the text of LangSmith');
});

it('nothing is sent when tracing is off', async () => {
  await start({ LANGSMITH_TRACING: 'false' });
  await ask(app, { question: newQuestion() });
  await app.stop();
  expect(langSmith.keys.size).toBe(0);
});
