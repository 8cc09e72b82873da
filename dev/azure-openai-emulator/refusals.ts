/** The error responses of Azure OpenAI, with its exact wording where the wording is known. */
import { promptFilterResult } from './content-filter.ts';
import type { Prompt } from './prompt.ts';

/** An HTTP response. `parts` are written one after the other. */
export interface Reply {
  status: number;
  headers: Record<string, string>;
  parts: string[];
}

/** For an unknown path, and for a request without an API version. */
export const NOT_FOUND: Reply = json(404, toError('404', 'Resource not found'));

/** For a request without the right key. */
export const WRONG_KEY: Reply = json(
  401,
  toError(
    '401',
    'Access denied due to invalid subscription key or wrong API endpoint. Make sure to provide a valid key for an active subscription and use a correct regional API endpoint for your resource.',
  ),
);

/** For a deployment that does not exist: github.com/chatboxai/chatbox/issues/861. */
export const NO_DEPLOYMENT: Reply = json(404, {
  error: {
    code: 'DeploymentNotFound',
    message:
      'The API deployment for this resource does not exist. If you created the deployment within the last 5 minutes, please wait a moment and try again.',
  },
});

/** For a deployment whose model is retired: github.com/BerriAI/litellm/issues/11505. */
export const RETIRED_MODEL: Reply = json(400, {
  error: {
    code: 'OperationNotSupported',
    message:
      'The chatCompletion operation does not work with the specified model, gpt-4o. Please choose different model and try again. You can learn more about which models can be used with each operation here: https://go.microsoft.com/fwlink/?linkid=2197993.',
  },
});

/** For a body that is not a JSON object: github.com/ChatGPTNextWeb/NextChat/issues/4064. */
export const INVALID: Reply = refused({
  message:
    "We could not parse the JSON body of your request. (HINT: This likely means you aren't using your HTTP library correctly. The OpenAI API expects a JSON payload, but what was sent was not valid JSON. If you have trouble figuring out how to fix this, please contact us through our help center at help.openai.com.)",
});

/** For a prompt that the content filter blocks. */
export const CONTENT_FILTERED: Reply = json(400, contentFilterError());

/**
 * For a conversation that is too long. Newer models word it differently: github.com/cline/cline/issues/5474 and
 * github.com/RooCodeInc/Roo-Code/issues/6856.
 */
export function tooLong(wording: 'older' | 'newer'): Reply {
  const message =
    wording === 'older'
      ? "This model's maximum context length is 128000 tokens. However, your messages resulted in 136891 tokens. Please reduce the length of the messages."
      : 'Input tokens exceed the configured limit of 272000 tokens. Your messages resulted in 289650 tokens. Please reduce the length of the messages.';
  return refused({ message, param: 'messages', code: 'context_length_exceeded' });
}

/** Azure's Responses API begins with this version: github.com/Aider-AI/aider/issues/4029. */
export const FIRST_WITH_RESPONSES = '2025-03-01-preview';

/** For the Responses API at an older version. */
export const NO_RESPONSES_API: Reply = json(400, {
  error: {
    code: 'BadRequest',
    message: 'Azure OpenAI Responses API is enabled only for api-version 2025-03-01-preview and later',
  },
});

/** An error within a stream of chat completions. */
export const STREAM_ERROR = toError('server_error', 'The server had an error while processing your request.');

/** A parameter that the emulated model can refuse, as reasoning models or older models do. */
export type RefusedParameter =
  | 'temperature'
  | 'max_tokens'
  | 'max_completion_tokens'
  | 'reasoning_effort'
  | 'verbosity'
  | 'stream_options'
  | 'prompt_cache_key';

/** What GPT-4o refuses; docs/models.md has the parameters of each family. */
export const REFUSED_BY_GPT_4O: RefusedParameter[] = ['reasoning_effort', 'verbosity'];

/** What reasoning models refuse, of what can be sent to them here: github.com/langchain4j/langchain4j/issues/3258. */
export const REFUSED_BY_REASONING_MODELS: RefusedParameter[] = ['temperature', 'max_tokens'];

/** Returns the refusal of a request that uses one of `parameters`; undefined when it uses none of them. */
export function refusalOf({ api, body }: Prompt, parameters: readonly RefusedParameter[]): Reply | undefined {
  if (api === 'responses') return refusalOfResponses(body, parameters);
  const param = parameters.find((name) => name in body && !(name === 'temperature' && body[name] === 1));
  if (!param) return undefined;
  switch (param) {
    case 'temperature':
      // github.com/johny-b/llmcomp/issues/69
      return refused({
        message: `Unsupported value: 'temperature' does not support ${JSON.stringify(body['temperature'])} with this model. Only the default (1) value is supported.`,
        param,
        code: 'unsupported_value',
      });
    case 'max_tokens':
      // github.com/owndev/Open-WebUI-Functions/issues/136
      return refused({
        message:
          "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.",
        param,
        code: 'unsupported_parameter',
      });
    case 'prompt_cache_key':
      // github.com/vectorize-io/hindsight/issues/3518
      return refused({
        message: 'Unrecognized request argument supplied: prompt_cache_key',
        code: 'unrecognized_request_argument',
      });
    default:
      // The error for a parameter that the model or the API version does not know has neither `code` nor `param`:
      // github.com/davidmigloz/langchain_dart/issues/712
      return refused({ message: `Unrecognized request argument supplied: ${param}` });
  }
}

/** The Responses API names its nested parameters by their path. */
const PATHS: Partial<Record<RefusedParameter, string>> = {
  reasoning_effort: 'reasoning.effort',
  verbosity: 'text.verbosity',
};

const valueAt = (body: Record<string, unknown>, path: string): unknown =>
  path.split('.').reduce<unknown>((value, key) => (value as typeof body | null | undefined)?.[key], body);

/** Of some models its errors have no code: github.com/OpenHands/software-agent-sdk/issues/1837. */
function refusalOfResponses(
  body: Record<string, unknown>,
  parameters: readonly RefusedParameter[],
): Reply | undefined {
  const paths = parameters.map((name) => PATHS[name] ?? name);
  const param = paths.find((path) => valueAt(body, path) !== undefined);
  if (!param) return undefined;
  return refused({ message: `Unsupported parameter: '${param}' is not supported with this model.`, param });
}

/** The 400 of a request that is wrong. */
export function refused(error: { message: string; param?: string; code?: string }): Reply {
  return json(400, toError(null, error.message, { type: 'invalid_request_error', ...error }));
}

/** A JSON response. A string is sent unchanged. */
export function json(status: number, body: object | string, headers: Record<string, string> = {}): Reply {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  const length = String(Buffer.byteLength(text));
  return {
    status,
    headers: { 'content-type': 'application/json', 'content-length': length, ...headers },
    parts: [text],
  };
}

/** The JSON of an error. */
export function toError(code: string | null, message: string, more: object = {}): object {
  return { error: { message, type: null, param: null, code, ...more } };
}

function contentFilterError(): object {
  const message =
    "The response was filtered due to the prompt triggering Azure OpenAI's content management policy. Please modify your prompt and retry.";
  return toError('content_filter', message, {
    param: 'prompt',
    status: 400,
    innererror: {
      code: 'ResponsibleAIPolicyViolation',
      content_filter_result: promptFilterResult(true).content_filter_results,
    },
  });
}
