/** npm run package: the published folder is complete, small, and locked. */
import { randomUUID } from 'node:crypto';
import { cpSync, globSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { root } from '../../dev/stack/root.ts';
import { writePackage } from '../../dev/package.ts';
import { ask, startApp } from '../support/app.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'ask-package-'));
  writePackage(join(folder, 'out'));
  cpSync(join(folder, 'out'), join(folder, 'empty', 'app'), { recursive: true });
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

it('serves a question and the page from an empty folder, without node_modules', async () => {
  const app = await startApp({ root: join(folder, 'empty', 'app') });
  try {
    const answer = await ask(app, { question: 'What is the capital of France?' });
    expect(answer.answer).toContain('Paris');
    expect(answer.performance_metrics).toMatchObject({ history_saved: true, cache: { result: 'miss' } });
    const page = await fetch(app.url);
    expect(page.status).toBe(200);
    expect(await page.text()).toContain('</html>');
    expect((await fetch(`${app.url}/assets/unknown.js`)).status).toBe(404);
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
  const loads = join(folder, 'loads.txt');
  const recorder = pathToFileURL(join(root, 'test/support/record-loads.js')).href;
  const app = await startApp({
    root: join(folder, 'empty', 'app'),
    env: { NODE_OPTIONS: `--import ${recorder}`, RECORD_LOADS: loads },
  });
  try {
    await ask(app, { question: randomUUID() });
  } finally {
    await app.stop();
  }
  const dist = join(folder, 'empty', 'app', 'dist');
  const loaded = readFileSync(loads, 'utf8').match(/^file:.*/gm) ?? [];
  const loadedChunks = [...new Set(loaded)]
    .map((url) => fileURLToPath(url))
    .filter((file) => file.startsWith(dist));
  expect(loadedChunks.some((file) => file.includes('services'))).toBe(true);
  expect(sizeOf(loadedChunks)).toBeLessThan(1.5e6);
  // Each file takes a look-up, a read and a compilation.
  expect(loadedChunks.length).toBeLessThanOrEqual(10);
  // Chunks that are loaded on demand: the tokenizer, Redis, sign-in, telemetry, the OpenAPI document, the page,
  // MCP, the OpenAI API.
  expect(
    loadedChunks.filter((file) => /o200k|redis|esm-|telemetry|openapi|page|mcp|openai/.test(file)),
  ).toEqual([]);
  expect(sizeOf(globSync(join(dist, '**/*.js')))).toBeLessThan(7e6);
});

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
