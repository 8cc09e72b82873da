/**
 * An esbuild plugin that leaves out the parts of the libraries that the app does not use. A cold start reads and
 * compiles every byte that is loaded. docs/performance.md lists the size of each part.
 */
import { readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { OnResolveArgs, OnResolveResult, Plugin, PluginBuild } from 'esbuild';

/**
 * Importing a module of these packages has no side effects, but their package.json does not say so. The plugin tells
 * esbuild, which then drops the modules whose exports are not used.
 */
const SIDE_EFFECT_FREE =
  /^(@azure\/core-xml|@langchain\/(core|openai)|@modelcontextprotocol\/(core|server)|langsmith|openai|zod)\//;

/** Modules that are referenced only by code that the app never runs, unless it imports them itself. */
const LEFT_OUT = [
  // LangChain's client. The app has its own: src/lib/model/api-client.ts.
  /^openai\//,
  // LangChain would send its runs to LangSmith by itself. With LANGSMITH_TRACING on, src/lib/telemetry/langsmith.ts does,
  // with the client but without its other APIs.
  /^langsmith\/(lib\/)?client\.mjs$/,
  // Table Storage sends JSON to this client. Only a proxy's errors may be XML; the app uses only their status.
  /^@azure\/core-xml\//,
  // For tool schemas.
  /^zod\/v3\//,
  // Checks what clients send when a server asks them for input, which this one does not do.
  /^@modelcontextprotocol\/server\/dist\/ajvProvider/,
];

/**
 * The SDK of the Model Context Protocol uses more of zod than the app. A chunk holds all that is used of its modules, so
 * with a common copy every cold start would load the rest too.
 */
const OWN_ZOD = 'zod-of-mcp';

/**
 * What a first question loads. Each part that is loaded at its first use imports it too, although it is loaded by then:
 * esbuild makes a file of its own for each set of parts that share a module, and now they all share these. A first question
 * so loads a few files, not thirty.
 */
const FIRST_QUESTION = ['src/lib/app/services.ts', 'src/lib/http/ask-handler.ts'];
const LATE = 'late';

/**
 * The parts of undici that the app uses: without fetch, WebSocket, proxies, mocks, caches and the experimental
 * parser.
 */
const UNDICI = `
  const Dispatcher = require('undici/lib/dispatcher/dispatcher');
  Object.assign(Dispatcher.prototype, require('undici/lib/api'));
  exports.Client = require('undici/lib/dispatcher/client');
  exports.Pool = require('undici/lib/dispatcher/pool');
  exports.buildConnector = require('undici/lib/core/connect');
  exports.errors = require('undici/lib/core/errors');
`;

/** Replaces a module that is left out. Its exports can be constructed, but every use throws. */
async function stubFor(file: string): Promise<string> {
  const module = (await import(pathToFileURL(file).href)) as Record<string, unknown>;
  // Node gives CommonJS modules an export with this name.
  const names = Object.keys(module).filter((name) => name !== 'module.exports');
  const exports = names.map((name) => `export { LeftOut as ${name} };`);
  return `
    const refuse = () => { throw new Error(${JSON.stringify(`${nameOf(file)} is left out of the bundle by dev/bundle/lean-bundle.ts`)}); };
    function LeftOut() { return new.target ? new Proxy({}, { get: refuse }) : refuse(); }
    ${exports.join('\n')}
  `;
}

/** Creates the plugin. `folder` is the project's folder. */
export function leanBundle(folder: string): Plugin {
  return {
    name: 'lean-bundle',
    setup(build) {
      build.initialOptions.define = { ...build.initialOptions.define, esbuildDetection: 'true' };
      build.onResolve({ filter: /^undici$/ }, () => ({ path: 'undici', namespace: 'lean' }));
      // An ES import of node:http reads all of its exports, and reading `WebSocket` loads Node's built-in undici: 33 ms
      // instead of 5 ms, unless the host has loaded it already.
      build.onResolve({ filter: /^(node:)?http$/ }, ({ kind }) =>
        // A dynamic import needs all exports, and the plugin cannot know which of them are used.
        kind === 'import-statement' ? { path: 'node:http', namespace: 'lean' } : undefined,
      );
      const first = FIRST_QUESTION.map((file) => join(folder, file));
      build.onResolve({ filter: /./ }, (args) => resolveLate(build, args));
      build.onLoad({ filter: /./, namespace: LATE }, ({ path }) => ({
        contents: `${first.map((file) => `import ${JSON.stringify(file)};`).join('')} export * from ${JSON.stringify(path)};`,
        resolveDir: folder,
      }));
      build.onResolve({ filter: /^(zod\b|\.)/ }, (args) => resolveOwnZod(build, args));
      build.onLoad({ filter: /./, namespace: OWN_ZOD }, ({ path }) => ({
        contents: readFileSync(path),
        resolveDir: dirname(path),
      }));
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

/** A part that our code imports when it is first used. */
async function resolveLate(build: PluginBuild, args: OnResolveArgs): Promise<OnResolveResult | undefined> {
  const { path, kind, resolveDir, importer, pluginData } = args;
  if (kind !== 'dynamic-import' || pluginData === LATE || !isOurs(importer)) return undefined;
  const resolved = await build.resolve(path, { kind, resolveDir, importer, pluginData: LATE });
  return { path: resolved.path, namespace: LATE };
}

/** Gives the modules of zod that the SDK of the Model Context Protocol imports a copy of their own. */
async function resolveOwnZod(build: PluginBuild, args: OnResolveArgs): Promise<OnResolveResult | undefined> {
  const isOwn = args.namespace === OWN_ZOD || nameOf(args.importer).startsWith('@modelcontextprotocol/');
  if (!isOwn || args.pluginData === OWN_ZOD) return undefined;
  if (args.namespace !== OWN_ZOD && args.path.startsWith('.')) return undefined;
  const { kind, resolveDir } = args;
  const { path } = await build.resolve(args.path, { kind, resolveDir, pluginData: OWN_ZOD });
  return { path, namespace: OWN_ZOD, sideEffects: false };
}

async function resolve(build: PluginBuild, args: OnResolveArgs): Promise<OnResolveResult | undefined> {
  const file = args.path.startsWith('.') ? join(args.resolveDir, args.path) : await locate(build, args);
  // Most modules import each other with the file extension; esbuild resolves the few that do not.
  if (!file || !SIDE_EFFECT_FREE.test(nameOf(file)) || !statSync(file, { throwIfNoEntry: false })?.isFile())
    return undefined;
  const isLeftOut = !isOurs(args.importer) && LEFT_OUT.some((pattern) => pattern.test(nameOf(file)));
  return { path: file, sideEffects: false, ...(isLeftOut && { namespace: 'left-out' }) };
}

/** Finds the file of a module that is imported by its package name. */
async function locate(build: PluginBuild, args: OnResolveArgs): Promise<string | undefined> {
  const { path, kind, resolveDir, pluginData } = args;
  // `build.resolve` below calls this plugin again.
  if (pluginData === locate || pluginData === OWN_ZOD || !SIDE_EFFECT_FREE.test(`${path}/`)) return undefined;
  return (await build.resolve(path, { kind, resolveDir, pluginData: locate })).path;
}

/** The name of a module in a package, such as `openai/client.mjs`; the whole path outside of packages. */
const nameOf = (file: string): string => file.replaceAll('\\', '/').split('/node_modules/').at(-1) ?? '';

/** Whether a file is in no package. */
const isOurs = (file: string): boolean => nameOf(file) === file.replaceAll('\\', '/');
