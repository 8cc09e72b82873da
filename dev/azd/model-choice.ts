/**
 * Which model a deployment gets: the one that its user names, the one that is deployed, or the first that fits. Rejected:
 * `usageName` in the template, with which azd offers only regions with quota for one model; a list from the internet,
 * because a deployment must be repeatable; a more expensive model when the cheap ones have no quota.
 */
import type { DeployedModel } from './deployed-models.ts';
import { type Circumstances, type Finding, findingsOn } from './model-check.ts';
import type { Deployment } from './model-list.ts';
import type { ModelRequest } from './model-request.ts';

/** A model with the reasons against it. */
export interface Tried {
  model: Deployment;
  findings: Finding[];
}

/** With `model`, that one is deployed; without it, nothing fits. */
export interface Choice {
  /** Why it is this one. */
  by: 'user' | 'deployed' | 'list';
  model: Deployment | undefined;
  /** The name of the deployment, when it must be set: Azure put another model under the name of the old one. */
  deploymentName?: string;
  /** What was checked, in this order, up to the model. */
  tried: Tried[];
}

/** Chooses. `candidates` are tried in their order; `fallbackValues` complete what the user left open. */
export function choose(
  requested: ModelRequest,
  candidates: Deployment[],
  fallbackValues: Deployment,
  circumstances: Circumstances,
): Choice {
  const { own, current } = requested;
  const check = (model: Deployment): Tried => ({ model, findings: findingsOn(model, circumstances) });
  if (own.name !== undefined || requested.existing !== undefined) {
    const named = { ...fallbackValues, ...current, ...own };
    // A version that the hook set for another model would be wrong.
    if (own.name !== undefined) named.version = own.version ?? '';
    return ofOne('user', check(named));
  }
  const deployed = requested.again ? undefined : deployedModel(requested, circumstances.deployed);
  if (deployed) {
    const { name, version, sku, capacity, deployment } = deployed;
    const model = { name, version, sku, capacity: current.capacity ?? capacity, ...own };
    const isRenamed = deployment !== (requested.deploymentName ?? name);
    return { ...ofOne('deployed', check(model)), ...(isRenamed && { deploymentName: deployment }) };
  }
  const tried: Tried[] = [];
  for (const candidate of candidates.filter((it) => !own.sku || it.sku === own.sku)) {
    const last = check({ ...candidate, ...own });
    tried.push(last);
    if (last.findings.length === 0) return { by: 'list', model: last.model, tried };
  }
  return { by: 'list', model: undefined, tried };
}

/** The user's model, or the deployed one, is taken unless something blocks it. */
function ofOne(by: Choice['by'], tried: Tried): Choice {
  const isBlocked = tried.findings.some(({ blocks }) => blocks);
  return { by, model: isBlocked ? undefined : tried.model, tried: [tried] };
}

/** Returns the model that the app uses: under its known name, or, in an environment that knows no name, the newest. */
function deployedModel(requested: ModelRequest, deployed: DeployedModel[]): DeployedModel | undefined {
  const models = deployed.filter(({ isFallback }) => !isFallback);
  const name = requested.deploymentName ?? requested.current.name;
  if (name !== undefined) return models.find(({ deployment }) => deployment === name);
  return models.toSorted((a, b) => b.createdAt.localeCompare(a.createdAt))[0];
}
