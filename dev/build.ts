/** `npm run build`: builds the app into dist/. */
import { buildApp } from './bundle/bundle.ts';

export const help = `npm run build

Builds the function app from src/ into dist/, and the chat page from public/ into dist/page/.`;

export const main = buildApp;
