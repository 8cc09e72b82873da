/**
 * Bundles the chat page: one HTML file with its styles and its entry script, and a file for each part that the browser
 * loads late. Each file also in Brotli and gzip, so that a request never waits for a compression. Rejected: a framework, which
 * does not fit into the budget; a static website beside the app, which needs CORS and a second deployment; a service
 * worker, which shows old versions (docs/decisions/chat-page.md).
 */
import { createHash } from 'node:crypto';
import { globSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import { brotliCompress, constants, gzip } from 'node:zlib';
import { build, type BuildOptions, type Metafile, type Plugin } from 'esbuild';
import { root } from '../stack/root.ts';
import type { PageManifest } from '../../src/lib/http/page-handler.ts';
import type { BuiltFile } from './output.ts';

/** The built page: its files, and the files that it was made from. */
export interface BuiltPage {
  files: BuiltFile[];
  inputs: string[];
}

const SOURCE = join(root, 'public');
const ENTRY_TAG = '<script type="module" src="main.ts"></script>';
const LATE = /\.late\.ts$/;

/** Builds public/ into files of the folder `outdir`. */
export async function bundlePage(outdir: string): Promise<BuiltPage> {
  const late = await buildLateParts(outdir);
  const entry = await buildEntry(outdir, late.addresses);
  const { html, manifest } = inline(entry, late.names);
  const page = { path: join(outdir, 'index.html'), contents: Buffer.from(html) };
  const compressed = await Promise.all([page, ...late.files].map(compress));
  const list = { path: join(outdir, 'page.json'), contents: Buffer.from(JSON.stringify(manifest)) };
  const sources = Object.keys({ ...late.metafile.inputs, ...entry.metafile.inputs });
  const licences = { path: join(outdir, 'licences.txt'), contents: Buffer.from(licencesOf(sources)) };
  return { files: [...compressed.flat(), list, licences], inputs: ['public/index.html', ...sources] };
}

const shared = {
  absWorkingDir: root,
  bundle: true,
  format: 'esm',
  platform: 'browser',
  target: 'es2022',
  minify: true,
  // The licences of packages are published in a file of their own, which no browser loads.
  legalComments: 'none',
  charset: 'utf8',
  metafile: true,
  logLevel: 'warning',
  write: false,
} satisfies BuildOptions;

/** The late parts are bundled on their own: the entry script stays in one piece, whatever they share with it. */
async function buildLateParts(outdir: string) {
  const entryPoints = globSync('**/*.late.ts', { cwd: SOURCE }).map((name) => join(SOURCE, name));
  const { outputFiles, metafile } = await build({
    ...shared,
    entryPoints,
    outdir: join(outdir, 'assets'),
    entryNames: '[name]-[hash]',
    chunkNames: '[name]-[hash]',
    splitting: true,
  });
  const files = outputFiles.filter(({ path }) => path.endsWith('.js'));
  if (outputFiles.some(({ path }) => path.endsWith('.css')))
    throw new Error('A late part of the page imports a style. All styles belong to main.ts.');
  const addresses = new Map(
    Object.entries(metafile.outputs).flatMap(([path, { entryPoint }]) =>
      entryPoint === undefined ? [] : [[join(root, entryPoint), `./assets/${basename(path)}`] as const],
    ),
  );
  const names = files.map(({ path }) => basename(path));
  return { files, names, addresses, metafile };
}

interface Entry {
  script: string;
  style: string;
  metafile: Metafile;
}

async function buildEntry(outdir: string, addresses: ReadonlyMap<string, string>): Promise<Entry> {
  const { outputFiles, metafile } = await build({
    ...shared,
    entryPoints: [join(SOURCE, 'main.ts')],
    outdir,
    plugins: [lateParts(addresses)],
  });
  const textOf = (end: string) => outputFiles.find(({ path }) => path.endsWith(end))?.text ?? '';
  return { script: textOf('.js'), style: textOf('.css'), metafile };
}

/** Keeps `import('./x.late.ts')` as an import at run time, of the built file. */
function lateParts(addresses: ReadonlyMap<string, string>): Plugin {
  return {
    name: 'late-parts',
    setup(building) {
      building.onResolve({ filter: LATE }, ({ path, kind, resolveDir, importer }) => {
        const address = addresses.get(join(resolveDir, path));
        if (kind !== 'dynamic-import' || address === undefined)
          throw new Error(`${importer} imports ${path}. A late part is loaded with import().`);
        return { path: address, external: true };
      });
    },
  };
}

/** Puts the style and the script into the HTML, and lists what the Content-Security-Policy has to allow. */
function inline({ script, style }: Entry, assets: string[]): { html: string; manifest: PageManifest } {
  const source = readFileSync(join(SOURCE, 'index.html'), 'utf8');
  if (/<\/style/i.test(style) || /<\/script|<!--/i.test(script))
    throw new Error('A style or script of the page contains the closing tag of its own element, or "<!--".');
  if (!source.includes(ENTRY_TAG)) throw new Error(`public/index.html does not contain ${ENTRY_TAG}`);
  // Blocks rendering, so that the page is first shown in its theme and layout.
  const tags = `<style>${style}</style><script type="module" blocking="render">${script}</script>`;
  const html = source.replaceAll(/\n\s+/g, '\n').replace(ENTRY_TAG, () => tags);
  return { html, manifest: { scripts: [sha256(script)], styles: [sha256(style)], assets } };
}

const sha256 = (text: string): string => createHash('sha256').update(text).digest('base64');

/** The licences of the packages that `sources` are from. @throws Error for a package without a licence file. */
function licencesOf(sources: string[]): string {
  const packages = sources.flatMap((path) => /^node_modules\/(?:@[^/]+\/)?[^/]+/.exec(path) ?? []);
  const texts = [...new Set(packages)].toSorted().map((folder) => {
    const [file] = globSync('{LICENSE,LICENCE,license}*', { cwd: join(root, folder) });
    if (file === undefined) throw new Error(`${folder} has no licence file.`);
    return `${folder.replace('node_modules/', '')}\n\n${readFileSync(join(root, folder, file), 'utf8').trim()}\n`;
  });
  return texts.join('\n---\n\n');
}

async function compress({ path, contents }: BuiltFile): Promise<BuiltFile[]> {
  const params = { [constants.BROTLI_PARAM_SIZE_HINT]: contents.length };
  const [br, gz] = await Promise.all([
    promisify(brotliCompress)(contents, { params }),
    promisify(gzip)(contents, { level: 9 }),
  ]);
  return [
    { path, contents },
    { path: `${path}.br`, contents: br },
    { path: `${path}.gz`, contents: gz },
  ];
}
