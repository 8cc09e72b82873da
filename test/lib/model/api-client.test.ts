/** The errors of the model's API in the shapes of several servers. */
import { expect, it } from 'vitest';
import { ApiError } from '../../../src/lib/model/api-client.ts';
import { toModelError } from '../../../src/lib/model/model-errors.ts';
import { createConnectionRecord } from '../../../src/lib/pool/connection-record.ts';

const message = "This model's maximum context length is 8192 tokens. However, you requested 9000 tokens.";

it.each([
  // Azure: learn.microsoft.com/azure/ai-foundry/openai/reference
  ['an error object', { error: { message, type: 'invalid_request_error', code: null } }],
  // vLLM before it wrapped its errors: `ErrorResponse` in vllm/entrypoints/openai/protocol.py
  ['the error itself', { object: 'error', message, type: 'BadRequestError', code: 400 }],
  // Ollama's own API
  ['a text in JSON', { error: message }],
  ['a text', message],
])('a conversation that is too long is recognised: %s', (_, body) => {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  const error = new ApiError(400, text, {});
  const record = { ...createConnectionRecord(), status: 400 };
  expect(toModelError(error, record).code).toBe('conversation_too_long');
});

it('an answer of a gateway in HTML is an error of the model', () => {
  const error = new ApiError(502, '<html><body>Bad Gateway</body></html>', { 'retry-after': '2' });
  const record = { ...createConnectionRecord(), status: 502 };
  expect(toModelError(error, record)).toMatchObject({ code: 'model_unavailable', retryAfterMs: 2000 });
});
