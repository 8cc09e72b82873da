/** The size of each package in the chunk that the first question loads, and the import time of that chunk. */
import { execFileSync } from 'node:child_process';
import { globSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Metafile } from 'esbuild';
import { root } from '../dev/stack/root.ts';
import { bundle } from '../dev/bundle/bundle.ts';
import { leanBundle } from '../dev/bundle/lean-bundle.ts';
import { spreadOf } from './harness/cost.ts';
import { readBenchOptions } from './harness/options.ts';

const ROUNDS = 15;

/** The help text. */
export const help = `npm run bench:imports

Bundles the app into a temporary folder, with lean and with complete libraries, and prints the size of each package in
the chunk that the first question loads, and the import time of that chunk.

  --help`;

/** Prints both for the app's bundle and for a bundle with complete libraries. */
export async function main(args: string[]): Promise<void> {
  if (!readBenchOptions(args, help)) return;
  const folder = mkdtempSync(join(tmpdir(), 'ask-imports-'));
  try {
    const ways = { plain: [], lean: [leanBundle(root)] };
    const found = [];
    for (const [name, plugins] of Object.entries(ways)) {
      const outdir = join(folder, name);
      const sizes = sizesOf(await bundle('src/main.ts', outdir, plugins));
      found.push({ name, outdir, sizes });
    }
    const [plain, lean] = found;
    if (!plain || !lean) return;
    console.log('kB in the services chunk, plain and lean:');
    for (const [name, size] of [...plain.sizes].toSorted((a, b) => b[1] - a[1]).slice(0, 14)) {
      console.log(`  ${kilobytes(size)} ${kilobytes(lean.sizes.get(name) ?? 0)}  ${name}`);
    }
    const total = (sizes: Map<string, number>): string =>
      kilobytes([...sizes.values()].reduce((a, b) => a + b, 0));
    console.log(`  ${total(plain.sizes)} ${total(lean.sizes)}  all`);
    const times = { plain: [] as number[], lean: [] as number[] };
    for (let round = 0; round < ROUNDS; round++) {
      times.plain.push(importTime(plain.outdir));
      times.lean.push(importTime(lean.outdir));
    }
    for (const [name, all] of Object.entries(times)) {
      const { median, min, max } = spreadOf(all);
      console.log(`import time, ${name}: ${median.toFixed(0)} ms (${min.toFixed(0)} to ${max.toFixed(0)})`);
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const kilobytes = (bytes: number): string => String(Math.round(bytes / 1000)).padStart(6);

/** Bytes of each package. */
function sizesOf({ outputs }: Metafile): Map<string, number> {
  const sizes = new Map<string, number>();
  const chunk = Object.entries(outputs).find(([file]) => /services-[^/]*\.js$/.test(file))?.[1];
  for (const [file, { bytesInOutput }] of Object.entries(chunk?.inputs ?? {})) {
    const name = /.*node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(file)?.[1] ?? 'src';
    sizes.set(name, (sizes.get(name) ?? 0) + bytesInOutput);
  }
  return sizes;
}

/** Import time in milliseconds, in a new process. */
function importTime(outdir: string): number {
  const [file = ''] = globSync(join(outdir, 'chunks', 'services-*.js'));
  const script = `const t = performance.now(); await import(${JSON.stringify(pathToFileURL(file).href)}); console.log(performance.now() - t); process.exit()`;
  return Number(execFileSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' }));
}
