/** What `npm run preprovision` prints about its choice. */
import type { Choice, Tried } from './model-choice.ts';
import { offerOf } from './model-check.ts';
import { type Region, requestsAMinute, retirementOf } from './model-catalogue.ts';
import { daysUntil, type Deployment } from './model-list.ts';

const REASONS: Record<Choice['by'], string> = {
  user: 'as your settings name it',
  deployed: 'which is deployed, and is kept',
  list: 'the first of infra/models.json that fits',
};

/** One line about the model, and a line for each warning. */
export function describeChoice(
  { by, tried }: Choice,
  model: Deployment,
  regions: Region[],
  now: Date,
): string {
  const [region] = regions;
  const offer = region && offerOf(model, region);
  const requests = offer && requestsAMinute(offer.sku, model.capacity);
  const retires = offer && retirementOf(offer.entry, offer.sku);
  const facts = [
    `${(model.capacity * 1000).toLocaleString('en')} tokens${requests === undefined ? '' : ` and ${requests.toLocaleString('en')} requests`} a minute`,
    `in ${regions.map(({ location }) => location).join(' and ')}`,
    ...(retires === undefined ? [] : [`until ${retires.slice(0, 10)} (${daysUntil(retires, now)} days)`]),
  ];
  const warnings = (tried.at(-1)?.findings ?? []).map(
    ({ location, reason }) => `WARNING: ${model.name} in ${location}: ${reason}.`,
  );
  return [`Model: ${nameOf(model)}, ${REASONS[by]}: ${facts.join(', ')}.`, ...warnings].join('\n');
}

/** What was tried and why not, as a table. */
export function describeFailure(tried: Tried[]): string {
  const rows = tried.flatMap(({ model, findings }) =>
    findings.map(({ location, reason }) => [model.name, model.version || '-', model.sku, location, reason]),
  );
  return table([['Model', 'Version', 'SKU', 'Region', 'Why not'], ...rows]);
}

const nameOf = ({ name, version, sku }: Deployment): string => `${name} ${version} (${sku})`;

function table(rows: string[][]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}
