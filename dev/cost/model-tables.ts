/** The tables of docs/models.md: how long models stay, and what of them a subscription gets. */
import type { ModelList } from '../azd/model-list.ts';
import { templateDefault } from '../azd/model-request.ts';
import { count, markdownTable } from './markdown.ts';

const link = ({ title, url, date }: ModelList['sources']['quota']): string => `[${title}](${url}), ${date}`;

/** The models with their dates and limits. */
export function lifetimeTable({ candidates, models, sources, checked }: ModelList): string {
  const { capacity } = templateDefault();
  const rows = models.map(({ name, version, retires, requestsPerUnit, tier1Units, note }) => {
    const places = candidates.flatMap((it, index) => (it.name === name ? [index + 1] : []));
    return [
      `\`${name}\``,
      version,
      places.join(', ') || '-',
      retires ?? 'not found',
      note ?? '-',
      `${count(capacity * requestsPerUnit)} and ${count(capacity * 1000)}`,
      `${count(tier1Units * requestsPerUnit)} and ${count(tier1Units * 1000)}`,
    ];
  });
  return [
    markdownTable([
      [
        'Model',
        'Version',
        'Place in the list',
        'Retires',
        'Note',
        `Requests and tokens a minute of ${capacity} units`,
        'Of tier 1, Global Standard',
      ],
      ...rows,
    ]),
    '',
    `Looked up on ${checked}. Sources, with the date of what was read: ${Object.values(sources).map(link).join('; ')}.`,
  ].join('\n');
}

/** The list of the hook. */
export function candidateTable({ candidates }: ModelList): string {
  return markdownTable([
    ['Place', 'Model', 'Version', 'SKU', 'Capacity'],
    ...candidates.map(({ name, version, sku, capacity }, index) => [
      String(index + 1),
      `\`${name}\``,
      version,
      sku,
      String(capacity),
    ]),
  ]);
}
