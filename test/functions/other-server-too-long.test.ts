/** A prompt that is too long, in the words of each server. The comments name where these were found. */
import { randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { RawReply } from '../../dev/stack/compatible-server.ts';
import { ask, askForError, newQuestion } from '../support/app.ts';
import { sse, useOtherServer } from '../support/other-server.ts';
import { streamFrom } from '../support/streamed.ts';

const { app, server, start } = useOtherServer();

const TOO_LONG: [string, RawReply][] = [
  [
    // A run of llama-server with 2,048 tokens; the same in ggml-org/llama.cpp, tools/server/server-context.cpp
    'llama.cpp',
    {
      status: 400,
      body: {
        error: {
          code: 400,
          message:
            'request (2112 tokens) exceeds the available context size (2048 tokens), try increasing it',
          type: 'exceed_context_size_error',
          n_prompt_tokens: 2112,
          n_ctx: 2048,
        },
      },
    },
  ],
  [
    // lmstudio-ai/lmstudio-bug-tracker#237 and #546
    'LM Studio',
    {
      status: 400,
      body: {
        error:
          'Trying to keep the first 15857 tokens when context the overflows. However, the model is loaded with context length of only 4096 tokens, which is not enough. Try to load the model with a larger context length, or provide a shorter input',
      },
    },
  ],
  [
    // eslint/tsc-meetings#593
    'GitHub Models',
    {
      status: 413,
      body: {
        error: {
          code: 'tokens_limit_reached',
          message: 'Request body too large for gpt-4o model. Max size: 8000 tokens.',
          details: 'Request body too large for gpt-4o model. Max size: 8000 tokens.',
        },
      },
    },
  ],
  [
    // linagora/openrag#128
    'vLLM',
    {
      status: 400,
      body: {
        object: 'error',
        message:
          'The decoder prompt (length 15983) is longer than the maximum model length of 8192. Make sure that `max_model_len` is no smaller than the number of text tokens plus multimodal tokens.',
        type: 'BadRequestError',
        param: null,
        code: 400,
      },
    },
  ],
  [
    // QwenLM/Qwen3#1321
    'SGLang',
    {
      status: 400,
      body: {
        object: 'error',
        message: "The input (61709 tokens) is longer than the model's context length (40960 tokens).",
        type: 'BadRequestError',
        param: null,
        code: 400,
      },
    },
  ],
  [
    // bytedance/UI-TARS-desktop#626; the fields are those of router/src/lib.rs of huggingface/text-generation-inference
    'Text Generation Inference',
    {
      status: 422,
      body: {
        error:
          'Input validation error: `inputs` tokens + `max_new_tokens` must be <= 65537. Given: 79993 `inputs` tokens and 1024 `max_new_tokens`',
        error_type: 'validation',
      },
    },
  ],
  [
    // earendil-works/pi, packages/ai/src/utils/overflow.ts
    'Ollama',
    {
      status: 400,
      body: {
        error: {
          message: 'prompt too long; exceeded max context length by 100918 tokens',
          type: 'invalid_request_error',
          param: null,
          code: null,
        },
      },
    },
  ],
  [
    // discuss.google.dev/t/mistral-large-2407-inference-context-length-error/165446
    'Mistral',
    {
      status: 400,
      body: {
        object: 'Error',
        message: 'Prompt contains 65673 tokens, too large for model with 32768 maximum context length',
        type: 'invalid_request_error',
        code: 3051,
      },
    },
  ],
  // nginx in front of a server, client_max_body_size
  ['a proxy', { status: 413, body: '<html><head><title>413 Request Entity Too Large</title></head></html>' }],
];

describe('a prompt that is too long', () => {
  it('is sent again with half of the history, and is a 413 without one', async () => {
    await start();
    for (const [name, reply] of TOO_LONG) {
      const session_id = randomUUID();
      for (let count = 0; count < 2; count++) await ask(app, { question: newQuestion(), session_id });
      server.next(reply);
      const answered = await ask(app, { question: newQuestion(), session_id });
      const sizes = server.requests.slice(-2).map(({ messages }) => (messages as object[]).length);
      expect([name, answered.status, ...sizes]).toEqual([name, 'success', 6, 4]);

      server.next(reply);
      const refused = await askForError(app, { question: newQuestion() });
      expect([name, refused.status, refused.body.error.code]).toEqual([name, 413, 'conversation_too_long']);
      const ready = (await (await fetch(`${app.url}/health/ready`)).json()) as { checks: { model: string } };
      expect([name, ready.checks.model]).toEqual([name, 'ok']);
    }
  });

  it('is recognised in a stream too, where llama.cpp and TGI send it after status 200', async () => {
    await start();
    // oobabooga/textgen#7257, huggingface/text-generation-inference#2749
    for (const [, { body }] of TOO_LONG.slice(0, 2)) {
      server.next({ status: 200, body: sse(body as object) });
      const { error } = await streamFrom(app, { question: newQuestion() });
      expect(error?.error.code).toBe('conversation_too_long');
    }
  });
});
