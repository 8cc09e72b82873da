/** npm run package: the published folder is complete, small, and locked. */
import { randomUUID } from 'node:crypto';
import {
  cpSync,
  globSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { root } from '../../dev/stack/root.ts';
import { writePackage } from '../../dev/package.ts';
import { ask, startApp } from '../support/app.ts';

let folder: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'ask-package-'));
  await writePackage(join(folder, 'out'));
  cpSync(join(folder, 'out'), join(folder, 'empty', 'app'), { recursive: true });
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

it('serves a question and the page from an empty folder, without node_modules', async () => {
  // Budgets are a part that is loaded late.
  const app = await startApp({ root: join(folder, 'empty', 'app'), env: { RATE_CALLER_PER_MINUTE: '100' } });
  try {
    const answer = await ask(app, { question: 'What is the capital of France?' });
    expect(answer.answer).toContain('Paris');
    expect(answer.performance_metrics).toMatchObject({ history_saved: true, cache: { result: 'miss' } });
    const page = await fetch(app.url);
    expect(page.status).toBe(200);
    expect(await page.text()).toContain('</html>');
    expect((await fetch(`${app.url}/assets/unknown.js`)).status).toBe(404);
    expect(app.output()).not.toContain('Warning');
  } finally {
    await app.stop();
  }
});

it('contains only the files that the app needs', () => {
  const names = readdirSync(join(folder, 'out'));
  expect(names.toSorted()).toEqual(['dist', 'host.json', 'package.json']);
  const manifest = JSON.parse(readFileSync(join(folder, 'out', 'package.json'), 'utf8')) as object;
  expect(Object.keys(manifest)).toEqual(['name', 'version', 'type', 'main']);
  const files = readdirSync(join(folder, 'out', 'dist'), { recursive: true, encoding: 'utf8' });
  expect(files.filter((file) => file.endsWith('.map'))).toEqual([]);
  for (const name of ['index.html', 'index.html.br', 'index.html.gz'])
    expect(files).toContain(join('page', name));
});

const sizeOf = (files: string[]): number => files.reduce((sum, file) => sum + statSync(file).size, 0);

it('is small, and loads only the necessary chunks before the first answer', async () => {
  const { loaded } = await recordFirstAnswer();
  expect(loaded.some((file) => file.includes('services'))).toBe(true);
  expect(sizeOf(loaded)).toBeLessThan(1.5e6);
  // Each file takes a look-up, a read and a compilation.
  expect(loaded.length).toBeLessThanOrEqual(11);
  // Chunks that are loaded on demand: the tokenizer, Redis, sign-in, telemetry, the OpenAPI document, the page,
  // MCP, the OpenAI API.
  expect(loaded.filter((file) => /o200k|redis|esm-|telemetry|openapi|page|mcp|openai/.test(file))).toEqual(
    [],
  );
  expect(sizeOf(globSync(join(published(), '**/*.{js,cjs}')))).toBeLessThan(7e6);
});

it('is compiled ahead for this Node, whatever the folder in which it runs', async () => {
  expect((await recordFirstAnswer()).codeCache).toBe('accepted');
  expect(codeCache()).toContain(`${process.version}-${process.platform}-${process.arch}`);
  expect(statSync(codeCache()).size).toBeLessThan(2e6);
});

it.each<[string, () => void]>([
  ['of another version of V8', () => writeFileSync(codeCache(), ofOtherVersion(readFileSync(codeCache())))],
  ['that is cut off', () => truncateSync(codeCache(), 300_000)],
  ['of another Node only', () => renameSync(codeCache(), codeCache().replace(process.version, 'v24.0.0'))],
])('answers with a code cache %s', async (_, change) => {
  const original = codeCache();
  const contents = readFileSync(original);
  change();
  try {
    expect((await recordFirstAnswer()).codeCache).toBe('not used');
  } finally {
    rmSync(codeCache());
    writeFileSync(original, contents);
  }
});

const published = (): string => join(folder, 'empty', 'app', 'dist');

const codeCache = (): string => globSync(join(published(), 'chunks/*.cache'))[0] ?? '';

/** The second word of the header is a hash of the version. */
const ofOtherVersion = (cache: Buffer): Buffer =>
  Buffer.concat([cache.subarray(0, 4), Buffer.from('else'), cache.subarray(8)]);

/** Starts the published app and asks once. Gives the files that were loaded, and whether V8 used the code cache. */
async function recordFirstAnswer(): Promise<{ loaded: string[]; codeCache: string | undefined }> {
  const loads = join(folder, `${randomUUID()}.txt`);
  const recorder = pathToFileURL(join(root, 'test/support/record-loads.js')).href;
  const app = await startApp({
    root: join(folder, 'empty', 'app'),
    env: { NODE_OPTIONS: `--import ${recorder}`, RECORD_LOADS: loads },
  });
  try {
    expect((await ask(app, { question: 'What is the capital of France?' })).answer).toContain('Paris');
  } finally {
    await app.stop();
  }
  const text = readFileSync(loads, 'utf8');
  const loaded = [...new Set(text.match(/^file:.*/gm))].map((url) => fileURLToPath(url));
  return {
    loaded: loaded.filter((file) => file.startsWith(published())),
    codeCache: /^code cache (.*)/m.exec(text)?.[1],
  };
}

it('has a lock file for all systems, without download addresses', () => {
  interface Locked {
    resolved?: string;
    optionalDependencies?: Record<string, string>;
  }
  const lock = readFileSync(join(root, 'package-lock.json'), 'utf8');
  const { packages } = JSON.parse(lock) as { packages: Record<string, Locked> };
  const names = new Set(Object.keys(packages).map((path) => path.replace(/^.*node_modules\//, '')));
  const missing = Object.values(packages)
    .flatMap(({ optionalDependencies = {} }) => Object.keys(optionalDependencies))
    .filter((name) => !names.has(name));
  expect(missing).toEqual([]);
  expect(lock).not.toContain('"resolved": "http');
});
