/** Errors in the shape of OpenAI's API: platform.openai.com/docs/guides/error-codes */
import type { AskError } from './ask-error.ts';

/** OpenAI's own codes, which clients recognise. */
export const OPENAI_CODES: Partial<Record<AskError['code'], string>> = {
  budget_exceeded: 'insufficient_quota',
  content_filtered: 'content_filter',
  conversation_too_long: 'context_length_exceeded',
  model_rate_limited: 'rate_limit_exceeded',
  rate_limited: 'rate_limit_exceeded',
};

const TYPES: Record<number, string> = {
  401: 'authentication_error',
  403: 'permission_error',
  429: 'rate_limit_error',
};

/** Gives the body of an error. */
export const openAiErrorBody = ({ status, code, message, param }: AskError) => ({
  error: {
    message,
    // OpenAI tells a used-up budget from too many requests by its type too.
    type:
      code === 'budget_exceeded'
        ? 'insufficient_quota'
        : (TYPES[status] ?? (status < 500 ? 'invalid_request_error' : 'server_error')),
    param: param ?? null,
    code: OPENAI_CODES[code] ?? code,
  },
});
