/** `npm run build`: builds the app into dist/. */
import { buildApp } from './bundle/bundle.ts';

export const main = buildApp;
