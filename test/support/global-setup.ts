/** Runs once for all test files: builds the app and starts the Azurite that they share. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { startAzuriteTables } from '../../dev/stack/azurite.ts';
import { buildAppIfChanged } from '../../dev/bundle/bundle.ts';

declare module 'vitest' {
  interface ProvidedContext {
    storage: string;
  }
}

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const folder = mkdtempSync(join(tmpdir(), 'ask-azurite-'));
  const [azurite] = await Promise.all([startAzuriteTables(folder), buildAppIfChanged()]);
  project.provide('storage', azurite.connectionString);
  return async () => {
    await azurite.stop();
    rmSync(folder, { recursive: true, force: true });
  };
}
