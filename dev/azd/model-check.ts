/** Whether a model can be deployed in a region, and for how long. */
import type { DeployedModel } from './deployed-models.ts';
import { type CatalogueEntry, type Region, retirementOf, type Sku } from './model-catalogue.ts';
import { daysUntil, type Deployment } from './model-list.ts';

/** The kind of account that infra/modules/model.bicep creates. */
const ACCOUNT_KIND = 'OpenAI';
/** Lifecycles without restrictions. The older versions of the API say "Stable". */
const LASTING = ['GenerallyAvailable', 'Stable'];
/** The words of the API for "closed to new customers" and "gone". */
const LIFECYCLES: Record<string, string> = {
  Deprecating: 'it is deprecated: closed to new customers',
  Deprecated: 'it is retired',
  Preview: 'it is a preview',
};

/** A reason against a model in a region. One that does not block is only a warning for a model that the user named. */
export interface Finding {
  location: string;
  blocks: boolean;
  reason: string;
}

/** What a check needs beside the model. */
export interface Circumstances {
  regions: Region[];
  deployed: DeployedModel[];
  minimumDays: number;
  now: Date;
}

/** Returns the reasons against a model, none when it fits in all regions. */
export function findingsOn(model: Deployment, { regions, ...others }: Circumstances): Finding[] {
  const each = regions.flatMap((region) => {
    const own = others.deployed.find((it) => isSame(it, model) && it.location === region.location);
    const findings = inRegion(model, region, others, own);
    // A running deployment is not created again: only the quota for a larger one can block it.
    const blocks = (it: Finding) => it.blocks && (!own || own.capacity < model.capacity);
    return findings.map((it) => ({ ...it, blocks: blocks(it) }));
  });
  return each.length === 0 ? commonQuota(model, regions, others.deployed) : each;
}

/**
 * Microsoft moves quotas from regions to the subscription, where the deployments of all regions share them, and the list of
 * quotas does not say which it is: learn.microsoft.com/azure/foundry/foundry-models/quotas-limits.
 */
function commonQuota(model: Deployment, regions: Region[], deployed: DeployedModel[]): Finding[] {
  const used = deployed.filter((it) => isSame(it, model)).reduce((sum, { capacity }) => sum + capacity, 0);
  const needed = model.capacity * regions.length - used;
  return regions.flatMap((region) => {
    const { limit = 0, used: taken = 0 } =
      region.quotas.get(offerOf(model, region)?.sku.usageName ?? '') ?? {};
    if (regions.length === 1 || limit - taken >= needed) return [];
    const reason = `quota: if all regions share it, ${needed} are needed, ${limit - taken} are left (portal: Quota, column Scope)`;
    return [{ location: region.location, blocks: false, reason }];
  });
}

/** Whether both have the same model, version and SKU. */
const isSame = (a: Deployment, b: Deployment): boolean =>
  a.name === b.name && a.version === b.version && a.sku === b.sku;

/** Returns the catalogue's entry for a model and its SKU, if the region has both. */
export function offerOf(
  { name, version, sku }: Deployment,
  { models }: Region,
): { entry: CatalogueEntry; sku: Sku } | undefined {
  const entry = models.find(
    ({ kind, model }) => kind === ACCOUNT_KIND && model.name === name && model.version === version,
  );
  const offered = entry?.model.skus?.find((it) => it.name === sku);
  return entry && offered && { entry, sku: offered };
}

function inRegion(
  model: Deployment,
  region: Region,
  { minimumDays, now }: Pick<Circumstances, 'minimumDays' | 'now'>,
  own: DeployedModel | undefined,
): Finding[] {
  const finding = (blocks: boolean, reason: string): Finding => ({
    location: region.location,
    blocks,
    reason,
  });
  const offer = offerOf(model, region);
  if (!offer) return [finding(true, whyNotOffered(model, region))];
  const { lifecycleStatus, capabilities } = offer.entry.model;
  const findings: Finding[] = [];
  if (!LASTING.includes(lifecycleStatus ?? '')) {
    const text = LIFECYCLES[lifecycleStatus ?? ''] ?? `its lifecycle is "${lifecycleStatus ?? 'unknown'}"`;
    findings.push(finding(lifecycleStatus === 'Deprecated', text));
  }
  if (capabilities && capabilities['chatCompletion'] !== 'true') {
    findings.push(finding(false, 'it has no chat completions: MODEL_API=responses is needed'));
  }
  const time = whyTooShort(retirementOf(offer.entry, offer.sku), minimumDays, now);
  if (time !== undefined) findings.push(finding(false, time));
  const quota = whyNoQuota(model.capacity - (own?.capacity ?? 0), model, offer.sku, region);
  if (quota !== undefined) findings.push(finding(true, quota));
  return findings;
}

function whyNotOffered({ name, version, sku }: Deployment, { models }: Region): string {
  const named = models.filter(({ model }) => model.name === name);
  if (named.length === 0) return 'not offered in this region';
  const ofKind = named.filter(({ kind }) => kind === ACCOUNT_KIND);
  if (ofKind.length === 0) {
    return `only for accounts of the kind ${list(named.map(({ kind }) => kind))}, not ${ACCOUNT_KIND}`;
  }
  const entry = ofKind.find(({ model }) => model.version === version);
  if (!entry) return `this version is not offered, but ${list(ofKind.map(({ model }) => model.version))}`;
  return `not offered as ${sku}, but as ${list((entry.model.skus ?? []).map((it) => it.name))}`;
}

const list = (values: (string | null | undefined)[]): string => [...new Set(values)].join(', ') || 'nothing';

function whyTooShort(retires: string | undefined, minimumDays: number, now: Date): string | undefined {
  if (retires === undefined) return 'the catalogue has no date of its retirement';
  const days = daysUntil(retires, now);
  if (days >= minimumDays) return undefined;
  const day = new Date(retires).toISOString().slice(0, 10);
  return days < 0
    ? `retired on ${day}`
    : `retires on ${day}, in ${days} days (at least ${minimumDays} are wanted)`;
}

function whyNoQuota(
  needed: number,
  { capacity }: Deployment,
  { usageName, capacity: allowed }: Sku,
  { quotas }: Region,
): string | undefined {
  if (allowed?.maximum && capacity > allowed.maximum) {
    return `a deployment has at most ${allowed.maximum} units, ${capacity} are wanted`;
  }
  const quota = usageName ? quotas.get(usageName) : undefined;
  if (needed <= 0) return undefined;
  if (!quota) return `the subscription has no quota ${usageName ?? 'for it'}`;
  const left = quota.limit - quota.used;
  if (left >= needed) return undefined;
  return `quota: ${needed} needed, ${left} left (${usageName}: ${quota.used} of ${quota.limit} used)`;
}
