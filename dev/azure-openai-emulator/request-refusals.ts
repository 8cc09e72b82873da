/** Decides whether a request reaches the model, in the order in which the service looks at it. */
import type { Message } from './answers.ts';
import { refusalOfBody } from './body-refusals.ts';
import type { ChatRequest } from './chat-request.ts';
import type { Prompt } from './prompt.ts';
import {
  FIRST_WITH_RESPONSES,
  INVALID,
  json,
  NO_DEPLOYMENT,
  NO_RESPONSES_API,
  NOT_FOUND,
  refusalOf,
  refused,
  type RefusedParameter,
  type Reply,
  WRONG_KEY,
} from './refusals.ts';

/** What the emulated resource has. */
export interface Resource {
  /** The names of its deployments. */
  deployments: readonly string[];
  /** Parameters that its model refuses. */
  refuses: readonly RefusedParameter[];
  /** The conversations of the responses that are kept, by id. */
  responses: ReadonlyMap<string, Message[]>;
}

/**
 * The dated API versions: the folders of Azure/azure-rest-api-specs,
 * specification/cognitiveservices/data-plane/AzureOpenAI/inference, from 2023 on.
 */
const STABLE = '2023-05-15 2024-02-01 2024-06-01 2024-10-21'.split(' ');
const PREVIEWS = (
  '2023-06-01 2023-07-01 2023-08-01 2023-09-01 2023-10-01 2023-12-01 2024-02-15 2024-03-01 2024-04-01 2024-05-01 ' +
  '2024-07-01 2024-08-01 2024-09-01 2024-10-01 2024-12-01 2025-01-01 2025-02-01 2025-03-01 2025-04-01'
).split(' ');
const DATED = new Set([...STABLE, ...PREVIEWS.map((date) => `${date}-preview`)]);

/** Of the v1 API: `AzureAIFoundryModelsApiVersion` in its specification. */
const V1 = new Set(['', 'v1', 'preview']);

/** For a version that the v1 API does not have: github.com/hotovo/aider-desk/issues/460. */
const NO_VERSION = json(400, { error: { code: 'BadRequest', message: 'API version not supported' } });

/** A request that has arrived. */
interface Arrived extends Pick<ChatRequest, 'api' | 'apiVersion' | 'deployment' | 'isV1'> {
  /** Whether it has the right key. */
  authorized: boolean;
  /** Null when the body is not JSON. */
  prompt: Prompt | null;
}

/** Returns the refusal of a request; undefined when it is accepted. */
export function refusalOfRequest(request: Arrived, resource: Resource): Reply | undefined {
  const { api, apiVersion, deployment, isV1, prompt } = request;
  if (!request.authorized) return WRONG_KEY;
  if (isV1 ? !V1.has(apiVersion) : !DATED.has(apiVersion)) return isV1 ? NO_VERSION : NOT_FOUND;
  if (api === 'responses' && !isV1 && apiVersion < FIRST_WITH_RESPONSES) return NO_RESPONSES_API;
  if (!prompt) return INVALID;
  if (deployment === '') return noModel();
  if (!resource.deployments.includes(deployment)) return NO_DEPLOYMENT;
  // The dated API versions do not know this parameter.
  const unknown: RefusedParameter[] = isV1 ? [] : ['prompt_cache_key'];
  return (
    refusalOfBody(api, prompt.body) ??
    refusalOf(prompt, [...resource.refuses, ...unknown]) ??
    refusalOfPrevious(prompt, resource)
  );
}

/** github.com/chain-ml/council/issues/45 */
const noModel = (): Reply => refused({ message: 'you must provide a model parameter' });

/** github.com/Soju06/codex-lb/issues/853 */
function refusalOfPrevious({ body }: Prompt, { responses }: Resource): Reply | undefined {
  const id = body['previous_response_id'];
  if (typeof id !== 'string' || responses.has(id)) return undefined;
  return refused({
    message: `Previous response with id '${id}' not found.`,
    param: 'previous_response_id',
    code: 'previous_response_not_found',
  });
}
