/**
 * What the bundle leaves out of the libraries. A cold start reads and compiles every byte that is loaded, and most of
 * what the libraries import serves other uses than ours: see docs/performance.md for what each part costs.
 */
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { OnResolveArgs, OnResolveResult, Plugin, PluginBuild } from 'esbuild';

/**
 * The modules of these packages do nothing when they are imported, but their package.json does not say so. Told so,
 * esbuild drops those of which nothing is used.
 */
const PURE = /^(@azure\/core-xml|@langchain\/(core|openai)|langsmith|openai|zod)\//;

/** Modules that are used in places which no question reaches. */
const LEFT_OUT = [
  // The client of each other API of OpenAI; the one for chat completions makes them all.
  /^openai\/resources\/(?!index|shared|chat\/)/,
  // Helpers over the stream of a completion, and for structured output.
  /^openai\/(helpers\/|lib\/(ChatCompletion|AbstractChatCompletion|RunnableFunction|EventStream))/,
  // A way to sign in that is not ours. It reads Node's own Response, which loads the undici inside Node.
  /^openai\/auth\//,
  // Sending traces to LangSmith, which config.ts refuses.
  /^langsmith\/(lib\/)?client\.mjs$/,
  // Table Storage speaks JSON with this client; only errors of a proxy may be XML, and those are told by their status.
  /^@azure\/core-xml\//,
  // For schemas of tools.
  /^zod\/v3\//,
];

/** undici without what we never use of it: fetch, WebSocket, proxies, mocks, caches, and a parser that is an experiment. */
const UNDICI = `
  const Dispatcher = require('undici/lib/dispatcher/dispatcher');
  Object.assign(Dispatcher.prototype, require('undici/lib/api'));
  exports.Client = require('undici/lib/dispatcher/client');
  exports.Pool = require('undici/lib/dispatcher/pool');
  exports.buildConnector = require('undici/lib/core/connect');
  exports.errors = require('undici/lib/core/errors');
`;

/** In place of a module that is left out: what it exports can be made, but not used. */
async function stubFor(file: string): Promise<string> {
  const module = (await import(pathToFileURL(file).href)) as Record<string, unknown>;
  const exports = Object.keys(module).map((name) => `export { LeftOut as ${name} };`);
  return `
    const refuse = () => { throw new Error(${JSON.stringify(`${nameOf(file)} is left out of the bundle: dev/lean-bundle.ts`)}); };
    function LeftOut() { return new.target ? new Proxy({}, { get: refuse }) : refuse(); }
    ${exports.join('\n')}
  `;
}

/** The plugin; `folder` is that of the project. */
export function leanBundle(folder: string): Plugin {
  return {
    name: 'lean-bundle',
    setup(build) {
      build.initialOptions.define = { ...build.initialOptions.define, esbuildDetection: 'true' };
      build.onResolve({ filter: /^undici$/ }, () => ({ path: 'undici', namespace: 'lean' }));
      // An ES import of Node's http reads all that it exports, and reading its WebSocket loads a second undici: 33 ms
      // instead of 5, unless the host did so before.
      build.onResolve({ filter: /^(node:)?http$/ }, ({ kind }) =>
        // What is imported when it is needed is so for all of its exports, which cannot be known here.
        kind === 'import-statement' ? { path: 'node:http', namespace: 'lean' } : undefined,
      );
      build.onResolve({ filter: /./ }, (args) => resolve(build, args));
      build.onLoad({ filter: /^node:http$/, namespace: 'lean' }, () => ({
        contents: "module.exports = require('node:http')",
      }));
      build.onLoad({ filter: /^undici$/, namespace: 'lean' }, () => ({
        contents: UNDICI,
        resolveDir: folder,
      }));
      build.onLoad({ filter: /./, namespace: 'left-out' }, async ({ path }) => ({
        contents: await stubFor(path),
      }));
    },
  };
}

async function resolve(build: PluginBuild, args: OnResolveArgs): Promise<OnResolveResult | undefined> {
  const file = args.path.startsWith('.') ? join(args.resolveDir, args.path) : await locate(build, args);
  // Most modules name each other with their extension; the few that do not are esbuild's to find.
  if (!file || !PURE.test(nameOf(file)) || !statSync(file, { throwIfNoEntry: false })?.isFile())
    return undefined;
  const isLeftOut = LEFT_OUT.some((pattern) => pattern.test(nameOf(file)));
  return { path: file, sideEffects: false, ...(isLeftOut && { namespace: 'left-out' }) };
}

/** Finds a module by the name of its package. */
async function locate(build: PluginBuild, args: OnResolveArgs): Promise<string | undefined> {
  const { path, kind, resolveDir, pluginData } = args;
  // Our own question comes back to us.
  if (pluginData === locate || !PURE.test(`${path}/`)) return undefined;
  return (await build.resolve(path, { kind, resolveDir, pluginData: locate })).path;
}

/** Of a module in a package: `openai/client.mjs`. */
const nameOf = (file: string): string => file.replaceAll('\\', '/').split('/node_modules/').at(-1) ?? '';
