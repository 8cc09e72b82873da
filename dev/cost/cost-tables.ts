/** The tables of docs/cost.md. */
import { templateDefault } from '../azd/model-request.ts';
import { count, dollars, markdownTable, price } from './markdown.ts';
import { ASSUMED, costOfCall, costOfMonth, type Month, MONTH_HOURS } from './month.ts';
import { type ModelPrice, type Prices, priceOf, symbolsOf } from './prices.ts';

/** Questions a month. */
const SIZES = [1000, 100_000, 10_000_000] as const;
const HEAD = ['1,000 questions', '100,000', '10 million', 'Formula'];

const PARTS: [string, keyof Month, string][] = [
  ['Model tokens', 'model', '`(1 - h) x N x (Tp x pi + Tc x po) / 1e6`'],
  ['Functions, GB-s', 'functionTime', '`max(0, M x (A + P) - 100,000) x pg`'],
  ['Functions, executions', 'functionExecutions', '`max(0, N + 730 - 250,000) x pe / 1e6`'],
  ['Storage, transactions', 'storageCalls', '`(2 x N + S) x pt / 10,000`'],
  ['Storage, bytes', 'storageBytes', '`N x B x ps / 1e9`'],
  ['Logs, traces, metrics', 'logs', '`max(0, (N x L + A / 60 x 7,500) / 1e9 - 5) x pl`'],
  ['Seven alerts, six with a query', 'alerts', `\`${ASSUMED.alerts} x pq\``],
  ['**Sum**', 'sum', ''],
];

/** Returns the cost of a month with the assumptions of the document and the model of the template. */
function assumedMonth(questions: number, prices: Prices): Month {
  const usage = {
    questions,
    callsPerQuestion: 1 - ASSUMED.hitRate,
    storageCallsPerQuestion: ASSUMED.storageCalls,
    billedSeconds: ASSUMED.billedSeconds,
    instances: 1,
    redis: false,
  };
  return costOfMonth(usage, prices, templateDefault().name);
}

/** What a month costs, in parts. */
export function monthTable(prices: Prices): string {
  const months = SIZES.map((questions) => assumedMonth(questions, prices));
  const callPrice = costOfCall(priceOf(prices, templateDefault().name));
  const saved = SIZES.map((n) => dollars(ASSUMED.hitRate * n * callPrice));
  const rows = PARTS.map(([title, part, formula]) => {
    const mark = part === 'sum' ? '**' : '';
    return [title, ...months.map((month) => mark + dollars(month[part]) + mark), formula];
  });
  const last = ['Of the model tokens, the cache saved', ...saved, '`h x N x (Tp x pi + Tc x po) / 1e6`'];
  return markdownTable([['Part', ...HEAD], ...rows, last]);
}

/** What the options add. */
export function optionTable(prices: Prices): string {
  const { pb = 0, pr = 0, pn = 0, pd = 0, px = 0 } = symbolsOf(prices);
  const always = ASSUMED.memoryGB * MONTH_HOURS * 3600 * pb;
  const network = ASSUMED.privateEndpoints * (MONTH_HOURS * pn + pd);
  return markdownTable([
    ['Option', ...HEAD],
    ['One always-ready instance, before its executions', ...SIZES.map(() => dollars(always)), '`M x T x pb`'],
    [
      'Redis (`Balanced_B0`, without high availability)',
      ...SIZES.map(() => dollars(MONTH_HOURS * pr)),
      '`730 x pr`',
    ],
    [
      'Private network: three endpoints, three DNS zones',
      ...SIZES.map((n) => dollars(network + (n * 10_000 * px) / 1e9)),
      '`3 x (730 x pn + pd) + N x 10,000 x px / 1e9`',
    ],
  ]);
}

/** Figures that follow from the prices, for decisions. */
export function decisionTable(prices: Prices): string {
  const { pg = 0, pr = 0, pb = 0, pa = 0 } = symbolsOf(prices);
  const [, , n] = SIZES;
  const callPrice = costOfCall(priceOf(prices, templateDefault().name));
  const callsAMinute = ((1 - ASSUMED.hitRate) * n) / (MONTH_HOURS * 60);
  const tokensAMinute = callsAMinute * (ASSUMED.promptTokens + ASSUMED.completionTokens);
  const alone = SIZES.map((size) => dollars(size * ASSUMED.billedSeconds * ASSUMED.memoryGB * pg));
  return markdownTable([
    ['Figure', 'Value', 'Formula'],
    [
      'A percentage point of the hit rate, 10 million questions',
      `${dollars((n * callPrice) / 100)} dollars`,
      '`N x (Tp x pi + Tc x po) / 1e8`',
    ],
    [
      'Redis pays off from so many additional hits a month',
      count((MONTH_HOURS * pr) / callPrice),
      '`730 x pr / (Tp x pi + Tc x po) x 1e6`',
    ],
    [
      'Share of a month from which an instance is cheaper as always ready',
      `${count((100 * pb) / (pg - pa))} %`,
      '`pb / (pg - pa)`, without the free amount',
    ],
    [
      'GB-s at most, if no two questions ever share an instance',
      `${alone.join(', ')} dollars`,
      '`N x t x M x pg`, before the free amount',
    ],
    [
      'Calls of the model on average, 10 million questions',
      `${count(callsAMinute)} requests and ${count(tokensAMinute)} tokens a minute`,
      '`(1 - h) x N / 43,800 min`, and `x (Tp + Tc)`',
    ],
  ]);
}

/** The prices of the models. */
export function modelPriceTable(prices: Prices): string {
  const rows = prices.models.map((model) => {
    const { name, short, long } = model;
    const longest = long ? `${price(long.input)}, ${price(long.output)}` : '-';
    return [
      `\`${name}\``,
      ...[short.input, short.cachedInput, short.cacheWrite, short.output].map(price),
      longest,
      dollars(1000 * costOfCall(model)),
      sourceCell(model, prices),
    ];
  });
  return markdownTable([
    [
      'Model',
      'Input (`pi`)',
      'Cached input',
      'Cache write',
      'Output (`po`)',
      `Input, output above ${count(prices.longContextTokens)} tokens`,
      '1,000 calls',
      'Source, date',
    ],
    ...rows,
  ]);
}

/** The prices of the services. */
export function servicePriceTable(prices: Prices): string {
  const rows = prices.services.map((service) => [
    `\`${service.symbol}\``,
    service.what,
    `${price(service.price)} ${service.unit}`,
    service.free ?? '-',
    sourceCell(service, prices),
  ]);
  return markdownTable([['Symbol', 'What', 'Price', 'Free', 'Source, date'], ...rows]);
}

function sourceCell(
  { source, date, note }: Pick<ModelPrice, 'date' | 'note'> & { source: string | null },
  { sources }: Prices,
): string {
  const found = source === null ? undefined : sources[source];
  const text = found ? `[${found.title}](${found.url}), ${date}` : 'none';
  return note === undefined ? text : `${text}; ${note}`;
}
