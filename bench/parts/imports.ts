/** The size of each package in the chunks that the first question loads, and their import time. */
import { execFileSync } from 'node:child_process';
import { globSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Metafile } from 'esbuild';
import { bundle } from '../../dev/bundle/bundle.ts';
import { leanBundle } from '../../dev/bundle/lean-bundle.ts';
import type { Cost } from '../../dev/figures/cost.ts';
import { root } from '../../dev/stack/root.ts';
import type { Environment } from '../harness/environment.ts';
import { byTurns, costOf, itself } from '../harness/turns.ts';

const PACKAGES = 14;

/** Compares the app's bundle with one of complete libraries. */
export async function measureImports({ folder }: Environment, rounds: number): Promise<Cost[]> {
  const [lean, plain] = [join(folder, 'imports-lean'), join(folder, 'imports-plain')];
  const leanSizes = sizesOf(await bundle('src/main.ts', lean, [leanBundle(root)]));
  const plainSizes = sizesOf(await bundle('src/main.ts', plain));
  const all = await byTurns(rounds, {
    lean: async () => importTime(lean),
    plain: async () => importTime(plain),
  });
  return [
    costOf(all, { name: 'Import time', baseline: 'plain bundle', sides: ['lean', 'plain'], of: itself }),
    size('all', sum(leanSizes), sum(plainSizes)),
    ...[...plainSizes]
      .toSorted(([, a], [, b]) => b - a)
      .slice(0, PACKAGES)
      .map(([name, bytes]) => size(name, leanSizes.get(name) ?? 0, bytes)),
  ];
}

const size = (name: string, app: number, baseline: number): Cost => ({
  name: `Size of ${name}`,
  baseline: 'plain bundle',
  unit: 'kB',
  target: null,
  rounds: [{ app, baseline }],
});

const sum = (sizes: Map<string, number>): number => [...sizes.values()].reduce((a, b) => a + b, 0);

/** Kilobytes of each package in the file of the services and those that it imports. */
function sizesOf({ outputs }: Metafile): Map<string, number> {
  const sizes = new Map<string, number>();
  const loaded = new Set(Object.keys(outputs).filter((file) => /services-[^/]*\.js$/.test(file)));
  for (const file of loaded) {
    for (const { path, kind } of outputs[file]?.imports ?? [])
      if (kind === 'import-statement') loaded.add(path);
    for (const [input, { bytesInOutput }] of Object.entries(outputs[file]?.inputs ?? {})) {
      const name = /.*node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(input)?.[1] ?? 'src';
      sizes.set(name, (sizes.get(name) ?? 0) + bytesInOutput / 1000);
    }
  }
  return sizes;
}

/** Import time in milliseconds, in a new process. */
function importTime(outdir: string): number {
  const [file = ''] = globSync(join(outdir, 'chunks', 'services-*.js'));
  const script = `const t = performance.now(); await import(${JSON.stringify(pathToFileURL(file).href)}); console.log(performance.now() - t); process.exit()`;
  return Number(execFileSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' }));
}
