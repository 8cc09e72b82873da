/** azure.yaml: azd deploys the folder out/ as it is. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { root } from '../../dev/stack/root.ts';

const read = (path: string): string => readFileSync(join(root, path), 'utf8');
const azure = read('azure.yaml');

it('the hooks run scripts that exist, on every system the same', () => {
  const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> };
  const run = [...azure.matchAll(/run: npm run (\S+)$/gm)].map(([, name = '']) => name);
  expect(run.filter((_, index) => index % 2 === 0)).toEqual(run.filter((_, index) => index % 2 === 1));
  const hooks = ['preprovision', 'postprovision', 'predeploy', 'postdeploy'];
  expect(new Set(run)).toEqual(new Set(['package', ...hooks]));
  expect(run.filter((name) => !(name in scripts))).toEqual([]);
});

it('the package is not built again on Azure', () => {
  expect(azure).toMatch(/^ {4}dist: out$/m);
  expect(azure).toMatch(/^ {4}remoteBuild: false$/m);
  // azd refuses remoteBuild: false with a .funcignore that excludes the folder itself.
  const ignored = read('.funcignore').split('\n');
  expect(ignored.filter((line) => /^\/?node_modules(\/|\/\*\*)?$/.test(line.trim()))).toEqual([]);
  expect(ignored).toContain('node_modules/*');
});

it('azd finds the app of the service by its tag', () => {
  expect(azure).toMatch(/^services:\n {2}api:$/m);
  expect(read('infra/modules/app.bicep')).toContain("'azd-service-name': 'api'");
});
