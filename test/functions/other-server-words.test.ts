/** What servers of other makers really say. The replies are theirs, from the places that the comments name. */
import { randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { type RawReply, startCompatibleServer } from '../../dev/stack/compatible-server.ts';
import { ask, askForError, newQuestion } from '../support/app.ts';
import { sse, useOtherServer } from '../support/other-server.ts';
import { streamFrom } from '../support/streamed.ts';

const { app, server, start } = useOtherServer();

describe('a model that is missing', () => {
  it('in a 400 without a code is asked at the next endpoint', async () => {
    const fallback = await startCompatibleServer();
    await start({}, { AZURE_OPENAI_FALLBACK_ENDPOINTS: fallback.url });
    // ggml-org/llama.cpp#17968 and tools/server/server-models.cpp
    const error = { code: 400, message: "model 'llama3.2' not found", type: 'invalid_request_error' };
    server.next({ status: 400, body: { error } });
    const { connection } = (await ask(app, { question: newQuestion() })).performance_metrics;
    expect(connection?.endpoint).toBe(1);
    expect(app.output()).not.toContain('Cognitive Services');
    await fallback.close();
  });
});

describe('the operator reads', () => {
  it('what to check when the server refuses the key', async () => {
    await start({}, { AZURE_OPENAI_API_KEY: 'wrong' });
    // ggml-org/llama.cpp, tools/server/server-http.cpp
    const error = { code: 401, message: 'Invalid API Key', type: 'authentication_error' };
    server.next({ status: 401, body: { error } });
    expect((await askForError(app, { question: newQuestion() })).body.error.code).toBe('model_misconfigured');
    expect(app.output()).toContain('Check AZURE_OPENAI_API_KEY (the key that this server wants, or none)');
    expect(app.output()).not.toContain('Cognitive Services');
  });

  it('the address of a server that is not running', async () => {
    await start({});
    await server.close();
    const { port } = new URL(server.url);
    await askForError(app, { question: newQuestion() });
    expect(app.output()).toContain(`nothing listens at 127.0.0.1:${port}. Start the server of the model`);
  });

  it('that a stream was cut off', async () => {
    await start();
    const choices = [{ index: 0, delta: { content: 'The capital' }, finish_reason: null }];
    server.next({ status: 200, body: `data: ${JSON.stringify({ choices })}\n\n` });
    const { error } = await streamFrom(app, { question: newQuestion() });
    expect(error?.error.code).toBe('model_unavailable');
    expect(app.output()).toContain('the stream of the model ended without a finish_reason');
  });
});

/** An answer of llama.cpp's chat completions, and of its Responses API: tools/server/server-task.cpp */
const chat = (content: string, finish_reason: string, completion_tokens = 4): RawReply => ({
  status: 200,
  body: {
    choices: [{ finish_reason, index: 0, message: { role: 'assistant', content } }],
    created: 1764460800,
    model: 'qwen.gguf',
    system_fingerprint: 'b7079-1',
    object: 'chat.completion',
    usage: { completion_tokens, prompt_tokens: 20, total_tokens: 20 + completion_tokens },
    id: 'chatcmpl-1',
  },
});

function chatStream(pieces: string[], finish_reason = 'stop', completion_tokens = 10): RawReply {
  const head = { created: 1764460800, id: 'chatcmpl-1', model: 'qwen.gguf', object: 'chat.completion.chunk' };
  const chunk = (delta: object, reason: string | null) => ({
    choices: [{ finish_reason: reason, index: 0, delta }],
    ...head,
  });
  const usage = { completion_tokens, prompt_tokens: 20, total_tokens: 20 + completion_tokens };
  return {
    status: 200,
    body: sse(
      chunk({ role: 'assistant', content: null }, null),
      ...pieces.map((content) => chunk({ content }, null)),
      chunk({}, finish_reason),
      { choices: [], ...head, usage },
    ),
  };
}

function response(text: string, output_tokens: number): object {
  const content = [{ type: 'output_text', annotations: [], logprobs: [], text }];
  return {
    completed_at: 1764460800,
    created_at: 1764460800,
    id: 'resp_1',
    model: 'qwen.gguf',
    object: 'response',
    output: [{ content, id: 'msg_1', role: 'assistant', status: 'completed', type: 'message' }],
    status: 'completed',
    usage: { input_tokens: 20, output_tokens, total_tokens: 20 + output_tokens },
  };
}

function responseStream(text: string, output_tokens: number): RawReply {
  const head = { id: 'resp_1', object: 'response', status: 'in_progress' };
  const item = { content: [], id: 'msg_1', role: 'assistant', status: 'in_progress', type: 'message' };
  const events = [
    { type: 'response.created', response: head },
    { type: 'response.in_progress', response: head },
    { type: 'response.output_item.added', item },
    { type: 'response.output_text.delta', item_id: 'msg_1', delta: text },
    { type: 'response.output_text.done', item_id: 'msg_1', text },
    { type: 'response.completed', response: response(text, output_tokens) },
  ];
  return {
    status: 200,
    body: events.map((event) => `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`).join(''),
  };
}

const lastLine = (): Record<string, unknown> =>
  JSON.parse(
    /\{"event":"question".*\}/.exec(app.output().split('\n').toReversed().join('\n'))?.[0] ?? '{}',
  ) as Record<string, unknown>;

describe('an answer that was cut at the output limit', () => {
  it('says so in the answer and the log, and is not cached', async () => {
    await start({});
    const question = newQuestion();
    server.next(
      chat('The capital of France is', 'length'),
      chatStream(['The capital of', ' France is'], 'length'),
    );
    expect(await ask(app, { question })).toMatchObject({ status: 'success', finish_reason: 'length' });
    expect(lastLine()).toMatchObject({ outcome: 'answered', finish_reason: 'length' });
    const { done } = await streamFrom(app, { question });
    expect(done).toMatchObject({ finish_reason: 'length', performance_metrics: { from_cache: false } });
    // This one is complete, and the next is its copy.
    const complete = await ask(app, { question });
    const cached = await ask(app, { question });
    expect([complete, cached].map(({ finish_reason }) => finish_reason)).toEqual(['stop', 'stop']);
    expect(cached.performance_metrics.from_cache).toBe(true);
  });

  it('is known by its tokens where the Responses API of llama.cpp says "completed"', async () => {
    await start({}, { MODEL_API: 'responses', MODEL_MAX_OUTPUT_TOKENS: '16' });
    const question = newQuestion();
    server.next({ status: 200, body: response('The capital of', 16) }, responseStream('The capital of', 16));
    expect((await ask(app, { question })).finish_reason).toBe('length');
    expect((await streamFrom(app, { question })).done?.finish_reason).toBe('length');
    server.next(responseStream('The capital of France is Paris.', 8));
    const { done } = await streamFrom(app, { question });
    expect(done).toMatchObject({ finish_reason: 'stop', performance_metrics: { model: 'qwen.gguf' } });
    expect((await ask(app, { question })).performance_metrics.from_cache).toBe(true);
  });
});

// ollama/ollama-js#196 and ggml-org/llama.cpp#11325: the server sends the reasoning as text.
describe('reasoning in the text', () => {
  const ANSWER = 'The capital is **Paris**. It is written as <think> here.';
  const TEXT = `<think>\nThe user asks about France. 1 < 2.\n</think>\n\n${ANSWER}`;

  it('is neither shown nor kept, and is counted as reasoning', async () => {
    await start();
    const session_id = randomUUID();
    server.next(chat(TEXT, 'stop', 50));
    const plain = await ask(app, { question: newQuestion(), session_id });
    expect(plain.answer).toBe(ANSWER);
    expect(plain.performance_metrics.tokens.completion).toBe(50);
    expect(plain.performance_metrics.tokens.reasoning).toBeGreaterThan(10);
    expect(plain.performance_metrics.tokens.reasoning).toBeLessThan(40);
    await ask(app, { question: newQuestion(), session_id });
    expect(JSON.stringify(server.requests.at(-1))).not.toContain('The user asks');
  });

  it('is cut out of a stream, however it is split', async () => {
    await start();
    for (const pieces of [
      TEXT.split(''),
      [TEXT],
      TEXT.split(/(?<=think)/),
      TEXT.split('\n').map((line) => `${line}\n`),
    ]) {
      server.next(chatStream(pieces));
      const { tokens, done } = await streamFrom(app, { question: newQuestion() });
      expect(tokens.join('').trimEnd()).toBe(ANSWER);
      expect(done?.answer).toBe(tokens.join(''));
    }
  });

  it('leaves a text alone that does not begin with it', async () => {
    await start();
    for (const text of ['<thin ice', ' <', 'Write <think>a</think> so.', '<thinking>x</thinking>']) {
      server.next(chatStream(text.split('')));
      expect((await streamFrom(app, { question: newQuestion() })).done?.answer).toBe(text);
    }
  });

  it('without an answer after it is a reached output limit', async () => {
    await start();
    server.next(chat('<think>\nThe user asks about', 'length'));
    expect((await askForError(app, { question: newQuestion() })).body.error.code).toBe(
      'output_limit_reached',
    );
  });
});
