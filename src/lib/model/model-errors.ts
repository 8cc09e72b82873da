/** Maps errors of a model call to errors of the API. */
import { ApiError, StreamFailedError } from './api-client.ts';
import { isPromptTooLong } from './prompt-too-long.ts';
import type { ConnectionRecord } from '../pool/connection-record.ts';
import { LoggableError } from '../common/log.ts';
import { causesFrom } from '../contract/ask-error.ts';
import { AskError, errors } from '../contract/errors.ts';

/** The model answered without text and without a known reason. */
export class EmptyAnswerError extends Error {
  override readonly name = 'EmptyAnswerError';
}

/** The endpoint does not serve the deployment or its model, or no longer does. */
class DeploymentGoneError extends LoggableError {
  override readonly name = 'DeploymentGoneError';
}

/** Whether another endpoint may serve what this one does not. */
export const isDeploymentGone = (error: unknown): boolean =>
  causesFrom(error).some((cause) => cause instanceof DeploymentGoneError);

/**
 * Codes for a missing deployment or model. For retired models, Azure was also seen to answer OperationNotSupported
 * (github.com/BerriAI/litellm/issues/11505), ServiceModelDeprecated when they are deployed
 * (github.com/Azure-Samples/aks-store-demo/issues/203), and a 404 without a code of its own
 * (github.com/BerriAI/litellm/issues/11116).
 */
const GONE: Record<string, string> = {
  DeploymentNotFound: 'the deployment does not exist',
  OperationNotSupported: 'the model of the deployment does not support this API, or is retired',
  ServiceModelDeprecated: 'the model is retired',
  model_not_found: 'the model does not exist, or is retired',
};

/**
 * Words for a missing model in a 400 without a code of its own: llama.cpp with several models
 * (github.com/ggml-org/llama.cpp/issues/17968).
 */
const MODEL_NOT_FOUND = /^model(?: ['"`].*['"`])? not found/i;

function deploymentGone(
  chain: ReturnType<typeof causesFrom>,
  status: number | null,
  isAzure: boolean,
): DeploymentGoneError | null {
  const codes = new Set<unknown>(chain.map((cause) => cause.code));
  const code = [...codes].find(
    (each): each is string => typeof each === 'string' && Object.hasOwn(GONE, each),
  );
  let reason = code === undefined ? undefined : GONE[code];
  if (status === 400 && chain.some(({ message }) => MODEL_NOT_FOUND.test(message)))
    reason ??= 'the server does not have the model';
  if (status === 410) reason = 'the model is retired';
  if (status === 404)
    reason ??= isAzure
      ? 'the address, the API version or the deployment does not exist, or the model is retired'
      : 'the address or the model does not exist';
  if (reason === undefined) return null;
  const advice = isAzure
    ? 'Check AZURE_OPENAI_CHAT_DEPLOYMENT_NAME, AZURE_OPENAI_API_VERSION and MODEL_API.'
    : 'Check AZURE_OPENAI_CHAT_DEPLOYMENT_NAME (the name of the model on this server), AZURE_OPENAI_ENDPOINT and MODEL_API.';
  return new DeploymentGoneError(`${reason} (${[status, code].filter(Boolean).join(' ')}). ${advice}`);
}

/** Statuses from 400 to 499 after which a retry may succeed: request timeout, conflict, too early. */
const TRANSIENT_STATUSES = new Set([408, 409, 425]);

/**
 * Returns the error for the caller. `error` was thrown by LangChain or our client; `record` is the connection record of the
 * call.
 */
export function toModelError(error: unknown, record: ConnectionRecord): AskError {
  const chain = causesFrom(error);
  // From the token provider.
  const askError = chain.find((cause) => cause instanceof AskError);
  if (askError) return askError;
  const codes = new Set<unknown>(chain.map(({ code }) => code));
  const refusal = chain.find((cause): cause is typeof cause & ApiError => cause instanceof ApiError);
  const headers = refusal?.headers;
  const isAzure = refusal?.isAzure ?? true;
  const status = statusOf(chain) ?? record.status;
  if (codes.has('content_filter')) return errors.contentFiltered(error);
  if (isPromptTooLong(error, status)) return errors.conversationTooLong(error);
  const gone = deploymentGone(chain, status, isAzure);
  if (gone) return errors.modelMisconfigured(gone);
  // Within a stream an error has a code, and no status of its own.
  if (status === 429 || codes.has('rate_limit_exceeded'))
    return errors.modelRateLimited(retryAfterMs(headers), error);
  // A retry would be refused again.
  if (status !== null && status >= 400 && status < 500 && !TRANSIENT_STATUSES.has(status)) {
    return errors.modelMisconfigured(error, isAzure ? 'azure' : 'other_server');
  }
  return errors.modelUnavailable(error, retryAfterMs(headers));
}

/** The status that an error within a stream has as its code; the response had status 200. */
function statusOf(chain: ReturnType<typeof causesFrom>): number | null {
  const code: unknown = chain.find((cause) => cause instanceof StreamFailedError)?.code;
  return typeof code === 'number' && code >= 400 && code < 600 ? code : null;
}

/** Reads `retry-after-ms` or `Retry-After` (seconds or a date). Returns milliseconds, or undefined. */
function retryAfterMs(headers: ApiError['headers'] = {}): number | undefined {
  const ms = Number.parseFloat(String(headers['retry-after-ms']));
  if (ms >= 0) return ms;
  const value = String(headers['retry-after'] ?? '');
  const wait = /^\s*[\d.]+\s*$/.test(value) ? 1000 * Number(value) : Date.parse(value) - Date.now();
  return Number.isNaN(wait) ? undefined : Math.max(0, wait);
}
