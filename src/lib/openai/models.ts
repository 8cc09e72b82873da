/** GET /v1/models and GET /v1/models/{model}: the deployments of the settings, and the name of the default. */
import type { ModelConfig } from '../config/config.ts';
import { errors } from '../contract/errors.ts';
import { json, type Reply } from '../http/response.ts';
import type { RawRequest } from '../http/raw-request.ts';

/** The model of the settings with all of its fallbacks, whatever its name. */
const DEFAULT = 'default';

type Models = Pick<ModelConfig, 'endpoints'>;

const namesOf = ({ endpoints }: Models): string[] => [
  ...new Set([DEFAULT, ...endpoints.map(({ deployment }) => deployment)]),
];

/** A model; its date is that of the start of this process. */
const toModel = (id: string) => ({
  id,
  object: 'model',
  created: Math.floor(performance.timeOrigin / 1000),
  owned_by: 'azure-functions-ask',
});

/**
 * Gives the deployment with this name, or undefined for the default: any deployment then answers.
 * @throws AskError when there is none.
 */
export function findDeployment(models: Models, name: string): string | undefined {
  if (!namesOf(models).includes(name)) throw errors.modelNotFound();
  return name === DEFAULT ? undefined : name;
}

/** Lists the models. */
export const listModels = (models: Models): Reply =>
  json(200, { object: 'list', data: namesOf(models).map(toModel) });

/** Describes one model. @throws AskError when there is none. */
export function describeModel(models: Models, request: RawRequest): Reply {
  const name = nameIn(request.path);
  findDeployment(models, name);
  return json(200, toModel(name));
}

/** "/" within a name arrives as it is, as "%2F", or, from the Functions host, as "%252F". */
function nameIn(path: string): string {
  const encoded = path.replace(/^.*?\/v1\/models\//i, '').replaceAll(/%252F/gi, '%2F');
  try {
    return decodeURIComponent(encoded);
  } catch {
    throw errors.modelNotFound();
  }
}
