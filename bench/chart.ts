/** `npm run bench:chart`: the results of `npm run bench -- --write` as a table and as a chart. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { EChartsOption } from 'echarts';
import { root } from '../dev/stack/root.ts';
import { INK, LINE, MUTED } from '../dev/perf/chart-style.ts';
import { type Cost, format, ratioOf, spreadOf } from './harness/cost.ts';
import { readBenchOptions } from './harness/options.ts';
import { type BenchResults, RESULTS_FILE } from './costs.ts';

const PAGE = join(root, 'docs', 'performance.md');
const PICTURE = join(root, 'docs', 'performance.png');
const TABLE = /(<!-- results -->\n)[^]*?(<!-- end of results -->)/;

/** Colours that are distinguishable with colour blindness. */
const COLORS = { met: '#2f6fb7', missed: '#c9781a', untargeted: '#8b9499' };

/** The help text. */
export const help = `npm run bench:chart -- [options]

Prints the results in docs/performance.json as a Markdown table.

  --write  write the table into docs/performance.md and the chart to docs/performance.png
  --help`;

/** Prints the table. With `--write`, writes the chart and the table instead. */
export async function main(args: string[]): Promise<void> {
  const options = readBenchOptions(args, help, { writes: true });
  if (!options) return;
  const results = JSON.parse(readFileSync(RESULTS_FILE, 'utf8')) as BenchResults;
  if (!options.write) {
    console.log(table(results).trim());
    return;
  }
  // Imported late, because loading the chart library takes seconds.
  const { drawPicture } = await import('../dev/perf/picture.ts');
  writeFileSync(PICTURE, drawPicture(optionOf(results), 1200, 140 + 52 * results.costs.length));
  const page = readFileSync(PAGE, 'utf8');
  if (!TABLE.test(page)) throw new Error(`${PAGE} has no markers for the table: ${TABLE.source}`);
  writeFileSync(
    PAGE,
    page.replace(TABLE, (_, start: string, end: string) => `${start}${table(results)}${end}`),
  );
}

function table({ costs, measured_at: at, node, cores }: BenchResults): string {
  const rows = costs.map((cost) => {
    const { min, median, max } = ratioOf(cost);
    const [app, baseline] = (['app', 'baseline'] as const).map((side) =>
      format(spreadOf(cost.rounds.map((round) => round[side])).median),
    );
    const target =
      cost.target === null ? '' : `${format(cost.target)} ${median <= cost.target ? '' : '**missed**'}`;
    return `| ${cost.name} | **${format(median)}** (${format(min)} to ${format(max)}) | ${target.trim()} | ${app} ${cost.unit} | ${baseline} ${cost.unit}, ${cost.baseline} |`;
  });
  const head = `Measured ${at.slice(0, 10)} with Node ${node.slice(1)} on ${cores} cores. Ratios are medians over the rounds, with minimum and maximum.`;
  return `\n${head}\n\n| Cost | Ratio | Target | App | Baseline |\n|---|---|---|---|---|\n${rows.join('\n')}\n\n`;
}

const verdictOf = (cost: Cost): keyof typeof COLORS =>
  cost.target === null ? 'untargeted' : ratioOf(cost).median <= cost.target ? 'met' : 'missed';

/** The chart in the terms of ECharts. */
function optionOf({ costs }: BenchResults): EChartsOption {
  // ECharts draws the first category at the bottom.
  const shown = costs.toReversed();
  const labels = shown.map(({ name, baseline }) => `${name}\n{small|compared with ${baseline}}`);
  const bars = shown.map((cost) => ({
    value: ratioOf(cost).median,
    itemStyle: { color: COLORS[verdictOf(cost)] },
  }));
  const ratios = shown.map((cost) => {
    const { min, median, max } = ratioOf(cost);
    return `${format(median)}x\n{small|${format(min)} to ${format(max)}}`;
  });
  const targets = shown.flatMap(({ target }, index) => (target === null ? [] : [[target, index]]));
  const small = { fontSize: 12, color: MUTED };
  const option = {
    title: {
      text: 'What the app costs',
      subtext:
        'Ratio to the baseline in the same run; lower is better. A line marks the target: blue is met, orange is missed.',
      left: 30,
      top: 24,
      textStyle: { fontSize: 24, color: INK },
      subtextStyle: { fontSize: 14, color: MUTED },
    },
    grid: { left: 400, right: 140, top: 110, bottom: 50 },
    xAxis: {
      type: 'value',
      // The length of a bar is its ratio.
      min: 0,
      splitLine: { lineStyle: { color: LINE } },
      axisLabel: { formatter: '{value}x', color: MUTED },
    },
    yAxis: [labels, ratios].map((data) => ({
      type: 'category',
      data,
      axisTick: { show: false },
      axisLine: { show: false },
      axisLabel: { fontSize: 14, lineHeight: 18, color: INK, rich: { small } },
    })),
    series: [
      { type: 'bar', data: bars, barWidth: 18 },
      { type: 'bar', yAxisIndex: 1 },
      {
        type: 'scatter',
        data: targets,
        symbol: 'rect',
        symbolSize: [3, 34],
        itemStyle: { color: INK },
        z: 3,
      },
    ],
  };
  return option as EChartsOption;
}
