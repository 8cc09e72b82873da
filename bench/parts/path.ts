/** The files of `src` that a warm question executes, by V8's coverage of the built app. */
import { randomUUID } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { SourceMap, type SourceMapPayload } from 'node:module';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Profiler } from 'node:inspector';
import { root } from '../../dev/stack/root.ts';
import type { Environment } from '../harness/environment.ts';
import { load } from '../harness/load.ts';

const WARM_UP = 20;

/** Prints the files: of a question that is asked for the first time in a new session, without a stream. */
export async function listPath(environment: Environment): Promise<void> {
  const address = Promise.withResolvers<string>();
  const onOutput = (text: string): void => {
    const [url] = /ws:\/\/127\.0\.0\.1:\S+/.exec(text) ?? [];
    if (url) address.resolve(url);
  };
  const host = await environment.startHost('built', { LOG_LEVEL: 'info' }, { inspect: 0, onOutput });
  const ask = (count: number) => load(host, 1, count, () => ({ question: randomUUID() }));
  await ask(WARM_UP);
  const inspector = await connect(await address.promise);
  await inspector.send('Profiler.enable');
  await inspector.send('Profiler.startPreciseCoverage', { callCount: true, detailed: false });
  await ask(1);
  await inspector.send('Profiler.takePreciseCoverage');
  // Background work of the questions before is over by now.
  await ask(1);
  const { result } = (await inspector.send('Profiler.takePreciseCoverage')) as {
    result: Profiler.ScriptCoverage[];
  };
  inspector.close();
  const own = [...new Set(result.flatMap(executed))].toSorted();
  console.log(`${own.length} files of src:\n  ${own.join('\n  ')}`);
}

interface Inspector {
  send(method: string, params?: object): Promise<unknown>;
  close(): void;
}

/** Connects to the inspector: chromedevtools.github.io/devtools-protocol/v8 */
async function connect(url: string): Promise<Inspector> {
  const socket = new WebSocket(url);
  const waiting = new Map<number, (result: unknown) => void>();
  socket.addEventListener('message', ({ data }) => {
    const { id, result } = JSON.parse(String(data)) as { id?: number; result?: unknown };
    if (id !== undefined) waiting.get(id)?.(result);
  });
  await new Promise((resolve) => socket.addEventListener('open', resolve, { once: true }));
  let last = 0;
  return {
    send: (method, params = {}) =>
      new Promise((resolve) => {
        waiting.set(++last, resolve);
        socket.send(JSON.stringify({ id: last, method, params }));
      }),
    close: () => socket.close(),
  };
}

/** The files of `src` of which a script executed a function. */
function executed({ url, functions }: Profiler.ScriptCoverage): string[] {
  if (!url.startsWith('file:')) return [];
  const path = fileURLToPath(url);
  if (!path.startsWith(join(root, 'dist')) || !existsSync(`${path}.map`)) return [];
  const map = new SourceMap(JSON.parse(readFileSync(`${path}.map`, 'utf8')) as SourceMapPayload);
  const lines = readFileSync(path, 'utf8').split('\n');
  const starts = [0];
  for (const line of lines) starts.push((starts.at(-1) ?? 0) + line.length + 1);
  return functions.flatMap(({ functionName, ranges: [range] }) => {
    // A script without a name is the module itself.
    if (!range || range.count === 0 || (functionName === '' && range.startOffset === 0)) return [];
    const line = starts.findLastIndex((start) => start <= range.startOffset);
    const entry = map.findEntry(line, range.startOffset - (starts[line] ?? 0));
    if (!('originalSource' in entry)) return [];
    const file = relative(root, join(dirname(path), entry.originalSource));
    return file.startsWith('src/') ? [file] : [];
  });
}
