/**
 * Enforces the layers of docs/architecture.md: a file may import from its own folder and from lower layers. Rejected:
 * dependency-cruiser, whose rules would be longer than this test, and a package for each layer, which would give one
 * deployable separate builds and versions.
 */
import { globSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { expect, it } from 'vitest';
import { root } from '../dev/stack/root.ts';

/** Folders of src/lib, lowest layer first. Folders of the same layer do not import each other. */
const LAYERS = [
  ['config', 'contract'],
  ['common'],
  ['pool', 'history'],
  ['model', 'users'],
  ['cache', 'budget'],
  ['telemetry'],
  ['ask'],
  ['http'],
  ['mcp', 'openai'],
  ['app'],
];

/** The rooms of public/, lowest layer first. Rooms of the same layer do not import each other. */
const ROOMS = [
  ['parts'],
  ['api'],
  ['model'],
  ['reading', 'measurements'],
  ['turn'],
  ['conversation', 'composer', 'sessions'],
  ['shell'],
];

/** The folders from which each top-level folder may import. */
const FOLDERS: Record<string, string[]> = {
  src: ['src'],
  public: ['public', 'src'],
  dev: ['dev', 'src', 'public'],
  bench: ['bench', 'dev', 'src'],
  test: ['test', 'bench', 'dev', 'src', 'public'],
};

interface Import {
  from: string;
  to: string;
}

/** All imports between files of the project, including type imports. */
const imports: Import[] = globSync('{src,public,dev,bench,test}/**/*.{ts,js}', { cwd: root }).flatMap(
  (path) => {
    const from = path.replaceAll('\\', '/');
    const text = readFileSync(join(root, from), 'utf8');
    return [...text.matchAll(/(?:\bfrom|\bimport)\s*\(?\s*'(\.{1,2}\/[^']+)'/g)].map(([, to = '']) => ({
      from,
      to: relative(root, join(root, dirname(from), to)).replaceAll('\\', '/'),
    }));
  },
);

const folderOf = (path: string): string => path.split('/')[0] ?? '';
const domainOf = (path: string): string => /^src\/lib\/([^/]+)\//.exec(path)?.[1] ?? '';
const layerOf = (domain: string): number => LAYERS.findIndex((layer) => layer.includes(domain));
const roomOf = (path: string): string => /^public\/([^/]+)\//.exec(path)?.[1] ?? '';
const rankOf = (room: string): number => ROOMS.findIndex((layer) => layer.includes(room));
const show = ({ from, to }: Import): string => `${from} imports ${to}`;

it('every file of src/lib belongs to a known layer', () => {
  const files = globSync('src/lib/**/*', { cwd: root }).filter((path) => path.endsWith('.ts'));
  expect(files.length).toBeGreaterThan(50);
  expect(
    files.map((path) => path.replaceAll('\\', '/')).filter((path) => layerOf(domainOf(path)) < 0),
  ).toEqual([]);
});

it('no file of src is longer than 250 lines', () => {
  const files = globSync('src/**/*.ts', { cwd: root });
  const long = files.filter((path) => readFileSync(join(root, path), 'utf8').split('\n').length > 251);
  expect(long).toEqual([]);
});

it('imports in src/lib go to lower layers only', () => {
  const between = imports.filter(
    ({ from, to }) => domainOf(from) !== '' && domainOf(to) !== '' && domainOf(from) !== domainOf(to),
  );
  expect(between.length).toBeGreaterThan(100);
  expect(
    between.filter(({ from, to }) => layerOf(domainOf(from)) <= layerOf(domainOf(to))).map(show),
  ).toEqual([]);
});

it('imports in public go to lower rooms only', () => {
  const between = imports.filter(
    ({ from, to }) => roomOf(from) !== '' && folderOf(to) === 'public' && roomOf(from) !== roomOf(to),
  );
  expect(between.length).toBeGreaterThan(30);
  expect(between.filter(({ from, to }) => rankOf(roomOf(from)) <= rankOf(roomOf(to))).map(show)).toEqual([]);
});

it('src/lib does not import src/functions or src/main.ts', () => {
  expect(imports.filter(({ from, to }) => domainOf(from) !== '' && domainOf(to) === '').map(show)).toEqual(
    [],
  );
});

it('the app does not import the local stack, the benchmarks or the tests', () => {
  const wrong = imports.filter(({ from, to }) => !FOLDERS[folderOf(from)]?.includes(folderOf(to)));
  expect(wrong.map(show)).toEqual([]);
});

it('no file of src knows the request of the library, whose headers a caller can replace', () => {
  const users = globSync('src/**/*.ts', { cwd: root }).filter((path) =>
    /\bHttpRequest\b|\btriggerMetadata\./.test(readFileSync(join(root, path), 'utf8')),
  );
  expect(users).toEqual([]);
});
