/** `npm run openapi`: writes docs/openapi.json, the document that GET /openapi.json returns. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { openApiDocument } from '../src/lib/contract/openapi/document.ts';
import { root } from './stack/root.ts';

/** The path of the committed copy. */
export const OPENAPI_FILE = join(root, 'docs', 'openapi.json');

/** The text of the committed copy. */
export const openApiText = (): string => `${JSON.stringify(openApiDocument(), null, 2)}\n`;

/** The help text. */
export const help = `npm run openapi

Writes docs/openapi.json, the document that GET /openapi.json returns, from the schemas in src/lib/contract.`;

/** Writes the file. */
export function main(): void {
  writeFileSync(OPENAPI_FILE, openApiText());
  console.log(`Wrote ${OPENAPI_FILE}.`);
}
