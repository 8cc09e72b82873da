/** The lists of models of an Azure OpenAI resource. */
import type { Request } from './chat-request.ts';
import { json, NOT_FOUND, type Reply, WRONG_KEY } from './refusals.ts';

/** What the lists contain. */
export type Catalogue =
  | { models: ListedModel[]; v1HasDates?: boolean }
  /** This text in place of a list, or no reply when it is null. */
  | { body: string | null };

/** A model in the lists. */
export interface ListedModel {
  /** Name and version, as the `model` of an answer: `gpt-4o-2024-11-20`. */
  id: string;
  /** Milliseconds since 1970. */
  retiresAt: number;
}

const CREATED = 1_732_060_800;

/** Whether a request is for a list of models. */
export function isListRequest({ method, url = '' }: Request): boolean {
  return method === 'GET' && /^\/openai\/(?:v1\/)?models(?:\?|$)/.test(url);
}

/**
 * Replies with the list; null never to reply. The dated list: `ModelList` in Azure/azure-rest-api-specs,
 * specification/cognitiveservices/data-plane/AzureOpenAI/authoring/stable/2024-10-21, and its example get_models.json. The
 * list of the v1 API: `OpenAI.ListModelsResponse` in specification/ai/data-plane/OpenAI.v1, which has no dates;
 * `v1HasDates` adds those of the dated list.
 */
export function listReply(
  { url = '' }: Request,
  catalogue: Catalogue | undefined,
  authorized: boolean,
): Reply | null {
  if (!authorized) return WRONG_KEY;
  const isV1 = url.startsWith('/openai/v1/');
  if (catalogue === undefined || (!isV1 && !/[?&]api-version=\d{4}-\d\d-\d\d/.test(url))) return NOT_FOUND;
  if ('body' in catalogue) return catalogue.body === null ? null : json(200, catalogue.body);
  const { models, v1HasDates = false } = catalogue;
  const data = models.map((model) => ({
    ...(isV1 ? toV1(model) : {}),
    ...(!isV1 || v1HasDates ? toDated(model) : {}),
  }));
  return json(200, { data, object: 'list' });
}

const toV1 = ({ id }: ListedModel) => ({ id, object: 'model', created: CREATED, owned_by: 'openai' });

const toDated = ({ id, retiresAt }: ListedModel) => ({
  status: 'succeeded',
  capabilities: {
    fine_tune: false,
    inference: true,
    completion: false,
    chat_completion: true,
    embeddings: false,
  },
  lifecycle_status: 'generally-available',
  deprecation: { inference: Math.floor(retiresAt / 1000) },
  id,
  created_at: CREATED,
  object: 'model',
});
