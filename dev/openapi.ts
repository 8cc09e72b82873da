/** `npm run openapi`: writes docs/openapi.json, the document that GET /openapi.json answers. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { openApiDocument } from '../src/lib/contract/openapi/document.ts';
import { root } from './stack/root.ts';

/** Where the committed copy is. */
export const OPENAPI_FILE = join(root, 'docs', 'openapi.json');

/** The document as it is committed. */
export const openApiText = (): string => `${JSON.stringify(openApiDocument(), null, 2)}\n`;

/** `npm run openapi`. */
export function main(): void {
  writeFileSync(OPENAPI_FILE, openApiText());
  console.log(`Wrote ${OPENAPI_FILE}.`);
}
