/** Tables and single figures of the documents, from the results of the benchmarks. */
import { markdownTable } from '../cost/markdown.ts';
import { type Cost, format, formatRatio, isMet, median, ratioOf, valueOf } from './cost.ts';
import type { Results } from './results.ts';
import { scaleTable } from './scale.ts';

type AllResults = Record<string, Results>;

/** Returns a cost by the beginning of its name. @throws Error when there is none */
function findCost(all: AllResults, part: string, name: string, baseline = ''): Cost {
  const found = all[part]?.costs.find(
    (cost) => cost.name.startsWith(name) && cost.baseline.startsWith(baseline),
  );
  if (!found) throw new Error(`docs/results/${part}.json has no "${name}": npm run bench -- ${part} --write`);
  return found;
}

const ratioColumn = (cost: Cost): string => `**${format(ratioOf(cost).median)}**`;
const dateOf = ({ measured_at: at }: Results): string => at.slice(0, 10);

const SAMPLE = 'a new client for each question';

const cells = (cost: Cost | undefined): string[] =>
  cost ? [valueOf(cost, 'app'), valueOf(cost, 'baseline'), ratioColumn(cost)] : ['', '', ''];

/** What users feel, beside a sample of a function and beside a gateway: the first table of docs/performance.md. */
export function usersTable(all: AllResults): string {
  const costs = all['users']?.costs ?? [];
  return markdownTable([
    ['', '`/ask`', 'A sample', 'Ratio', '`/v1/chat/completions`', 'A gateway', 'Ratio'],
    ...costs
      .filter(({ baseline }) => baseline === SAMPLE)
      .map((cost) => [
        cost.name,
        ...cells(cost),
        ...cells(costs.find(({ name, baseline }) => name === cost.name && baseline !== SAMPLE)),
      ]),
  ]);
}

/** All costs with a target, beside what an app without the libraries reaches. */
export function targetTable(all: AllResults): string {
  const costs = Object.values(all).flatMap((results) => results.costs);
  const rows = costs
    .filter(({ target }) => target !== null)
    .map((cost) => {
      const [what = '', ...rest] = cost.name.split(', ');
      const name =
        what === 'Cold start' ? `${what} without` : [`${what} without the libraries`, ...rest].join(', ');
      const plain = costs.find((each) => each.name.startsWith(name) && each.baseline === cost.baseline);
      const target = `${format(cost.target ?? 0)}${isMet(cost) ? '' : ', missed'}`;
      return [
        `${cost.name}, to ${cost.baseline}`,
        target,
        ratioColumn(cost),
        plain ? format(ratioOf(plain).median) : '',
      ];
    });
  return markdownTable([['Ratio', 'Target', 'App', 'Without the libraries'], ...rows]);
}

/** All results: a section for each part. */
export const resultSections = (all: AllResults): string =>
  Object.entries(all)
    .map(([part, results]) => {
      const { costs, tables, node, cores } = results;
      const rows = costs.map((cost) => [
        cost.name,
        formatRatio(cost),
        valueOf(cost, 'app'),
        `${valueOf(cost, 'baseline')}, ${cost.baseline}`,
      ]);
      const costTable = rows.length > 0 ? [[['Cost', 'Ratio', 'App', 'Baseline'], ...rows]] : [];
      return [
        `## ${part}`,
        `${dateOf(results)}, Node ${node.slice(1)}, ${cores} cores: [${part}.json](${part}.json)`,
        ...[...costTable, ...Object.values(tables)].map(markdownTable),
      ].join('\n\n');
    })
    .join('\n\n');

/** The measured values of docs/scale.md, one question each. */
export function oneQuestionTable(all: AllResults): string {
  const cpu = (name: string): string => valueOf(findCost(all, 'cpu', `CPU, ${name}`), 'app');
  const memory = findCost(all, 'throughput', 'Memory, 200');
  return markdownTable([
    ['What', 'Value', 'From'],
    [
      'CPU: cached, new session; session with 10 interactions',
      `${cpu('cached, new')}; ${cpu('cached, session')}`,
      '[results](results/README.md#cpu)',
    ],
    ['CPU: asked; streamed with 200 tokens', `${cpu('asked')}; ${cpu('streamed')}`, 'the same'],
    [
      'Memory of a process with 200 questions in progress',
      `${valueOf(memory, 'app')}, at most ${format(memoryOf(memory))} MB for each`,
      '[results](results/README.md#throughput)',
    ],
    [
      'Cold start of the process, to the first answer',
      valueOf(findCost(all, 'cold-start', 'Cold start, to the first'), 'app'),
      '[results](results/README.md#cold-start)',
    ],
    [
      'Round trips to storage: new session; known session',
      '1 (insert); 2 (query, insert)',
      '[architecture.md](architecture.md#the-path-of-a-question)',
    ],
    ['More for a signed-in user', '2, in the background; 1 beside the first model call', 'the same'],
    ['Round trips to Redis, if configured', '1 for each miss of the instance, 1 to store', 'the same'],
    ['Calls of the model', '1, or 0 with a cached answer', 'the same'],
    [
      'Tokens; bytes stored; bytes of telemetry',
      '950; 3,200; 5,000',
      'assumed in [cost.md](cost.md#assumptions)',
    ],
  ]);
}

/** Megabytes for each of 200 questions. */
const memoryOf = (memory: Cost): number => median(memory.rounds.map(({ app }) => app)) / 200;

/** What is needed at three rates. */
export function needsTable(all: AllResults): string {
  const cpu = (name: string): number =>
    median(findCost(all, 'cpu', `CPU, ${name}`).rounds.map(({ app }) => app)) / 1000;
  return scaleTable({
    askedSeconds: (cpu('asked') + cpu('streamed')) / 2,
    cachedSeconds: cpu('cached, session'),
    megabytes: memoryOf(findCost(all, 'throughput', 'Memory, 200')),
  });
}

/** Single figures within a sentence, by name. */
export function figuresOf(all: AllResults): Record<string, string> {
  const { rounds } = findCost(all, 'users', 'Answer, model', SAMPLE);
  const milliseconds = (side: 'app' | 'baseline'): string =>
    `${median(rounds.map((round) => round[side])).toFixed(0)} ms`;
  return { 'answer-pooled': milliseconds('app'), 'answer-new-client': milliseconds('baseline') };
}

/** The tables of a results file as they are, by name. */
export const plainTables = (all: AllResults): Record<string, () => string> =>
  Object.fromEntries(
    Object.values(all).flatMap(({ tables }) =>
      Object.entries(tables).map(([name, rows]) => [name, () => markdownTable(rows)] as const),
    ),
  );
