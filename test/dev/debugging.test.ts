/** A debugger can stop the built app at a line of a TypeScript source, as F5 in an editor does. */
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { SourceMap, type SourceMapPayload } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { root } from '../../dev/stack/root.ts';
import { ask, eventually, newQuestion, startApp, type TestApp } from '../support/app.ts';

const SOURCE = 'src/lib/ask/answer-question.ts';
const STATEMENT = 'const prompt = ';

/** A position in a script; both numbers begin at 0. */
interface Position {
  lineNumber: number;
  columnNumber: number;
}

interface Script {
  url: string;
  sourceMapURL: string;
}

interface Received {
  id?: number;
  method?: string;
  params?: unknown;
  error?: { message: string };
}

/** A connection to the inspector of a Node process, by the Chrome DevTools Protocol. */
class Inspector {
  readonly scripts: Script[] = [];
  /** Where the process stopped, once for each stop. */
  readonly stops: Position[] = [];
  readonly #socket: WebSocket;
  readonly #replies = new Map<number, (reply: Received) => void>();

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.addEventListener('message', ({ data }) => this.#receive(JSON.parse(String(data)) as Received));
  }

  static async connect(url: string): Promise<Inspector> {
    const socket = new WebSocket(url);
    await once(socket, 'open');
    return new Inspector(socket);
  }

  /** Sends a command and waits for its result. @throws Error when the inspector refuses it. */
  async send(method: string, params: object = {}): Promise<void> {
    const id = this.#replies.size + 1;
    const reply = new Promise<Received>((resolve) => this.#replies.set(id, resolve));
    this.#socket.send(JSON.stringify({ id, method, params }));
    const { error } = await reply;
    if (error) throw new Error(`${method}: ${error.message}`);
  }

  close(): void {
    this.#socket.close();
  }

  #receive(message: Received): void {
    if (message.id !== undefined) this.#replies.get(message.id)?.(message);
    if (message.method === 'Debugger.scriptParsed') this.scripts.push(message.params as Script);
    if (message.method === 'Debugger.paused') {
      const { callFrames } = message.params as { callFrames: { location: Position }[] };
      this.stops.push(...callFrames.slice(0, 1).map(({ location }) => location));
    }
  }
}

let app: TestApp;
let inspector: Inspector;
beforeAll(async () => {
  app = await startApp({ env: { NODE_OPTIONS: '--inspect=127.0.0.1:0' } });
  const listening = /Debugger listening on (ws:\S+)/;
  await eventually(() => listening.test(app.output()));
  inspector = await Inspector.connect(listening.exec(app.output())?.[1] ?? '');
  await inspector.send('Debugger.enable');
});
afterAll(async () => {
  inspector.close();
  await app.stop();
});

/** Finds the script that contains the file at the URL `source`, through the source maps that the scripts name. */
function findScript(source: string): { url: string; code: string; map: SourceMap } {
  for (const { url, sourceMapURL } of inspector.scripts) {
    if (!url.startsWith('file:') || !sourceMapURL) continue;
    const mapUrl = new URL(sourceMapURL, url);
    if (!existsSync(mapUrl)) continue;
    const payload = JSON.parse(readFileSync(mapUrl, 'utf8')) as SourceMapPayload;
    // Sources are relative to the map.
    payload.sources = payload.sources.map((name) => new URL(name, mapUrl).href);
    if (!payload.sources.includes(source)) continue;
    return { url, code: readFileSync(new URL(url), 'utf8'), map: new SourceMap(payload) };
  }
  throw new Error(`No script of the app has a source map that names ${source}.`);
}

/** Returns the first position in `code` for which `matches` is true. */
function findPosition(code: string, matches: (position: Position) => boolean): Position {
  for (const [lineNumber, text] of code.split('\n').entries()) {
    for (let columnNumber = 0; columnNumber < text.length; columnNumber++) {
      if (matches({ lineNumber, columnNumber })) return { lineNumber, columnNumber };
    }
  }
  throw new Error('The code has no such position.');
}

it('a breakpoint in a TypeScript source stops a question', async () => {
  const source = pathToFileURL(join(root, SOURCE)).href;
  const lines = readFileSync(join(root, SOURCE), 'utf8').split('\n');
  const breakpoint = lines.findIndex((text) => text.includes(STATEMENT));
  // Loads the modules that only questions need.
  await ask(app, { question: newQuestion() });

  const { url, code, map } = findScript(source);
  const isAtBreakpoint = ({ lineNumber, columnNumber }: Position): boolean => {
    const origin = map.findEntry(lineNumber, columnNumber);
    return (
      'originalSource' in origin && origin.originalSource === source && origin.originalLine === breakpoint
    );
  };
  await inspector.send('Debugger.setBreakpointByUrl', { url, ...findPosition(code, isAtBreakpoint) });

  const answer = ask(app, { question: newQuestion() });
  await eventually(() => inspector.stops.length > 0);
  expect(inspector.stops.map(isAtBreakpoint)).toEqual([true]);
  await inspector.send('Debugger.resume');
  expect((await answer).status).toBe('success');
});
