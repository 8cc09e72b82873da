/** The local functions host, run as a child process with small apps that use the real `@azure/functions`. */
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { request as httpRequest } from 'node:http';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { build } from 'esbuild';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { root } from '../../dev/stack/root.ts';
import { type Child, startNode } from '../../dev/stack/child-process.ts';
import type { FunctionsHostMessage } from '../../dev/functions-host/host.ts';

const children = new Set<Child>();
const folders: string[] = [];

/** Source code of an app. `body` runs with `app` in scope. */
const source = (body: string) =>
  `import { app } from '@azure/functions';\napp.setup({ enableHttpStream: true });\n${body}`;

const digest = (data: Uint8Array) => createHash('sha256').update(data).digest('hex');

function writeApp(code: string, routePrefix = ''): string {
  mkdirSync(join(root, '.data'), { recursive: true });
  const folder = mkdtempSync(join(root, '.data/test-host-'));
  folders.push(folder);
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ type: 'module', main: 'functions/*.js' }));
  writeFileSync(join(folder, 'host.json'), JSON.stringify({ extensions: { http: { routePrefix } } }));
  mkdirSync(join(folder, 'functions'));
  writeFileSync(join(folder, 'functions/app.js'), code);
  return folder;
}

/** Source code of a function that answers with its name and its route parameters. */
const say = (name: string, options: string) =>
  `app.http('${name}', { ${options}, handler: async (request) => ({ jsonBody: ['${name}', request.params] }) });`;

async function run(folder: string, args: string[] = []) {
  const program = join(root, 'dev/functions-host/host.ts');
  const child = startNode([program, '--root', folder, '--port', '0', ...args], {
    env: {
      ...process.env,
      FUNCTIONS_HOST_FUNCTION_KEY: 'function-key',
      FUNCTIONS_HOST_MASTER_KEY: 'master-key',
    },
    ipc: true,
  });
  children.add(child);
  const message = (await child.message()) as FunctionsHostMessage;
  const stop = async () => {
    child.process.send('stop');
    return child.ended;
  };
  return { child, message, stop };
}

async function boot(code: string, args: string[] = [], routePrefix = '') {
  const host = await run(writeApp(code, routePrefix), args);
  if (host.message.type !== 'ready') throw new Error(host.message.message);
  const { port } = host.message;
  const call = (path: string, init?: RequestInit) => fetch(`http://localhost:${port}${path}`, init);
  return { ...host, port, call };
}

type Host = Awaited<ReturnType<typeof boot>>;

async function until(condition: () => boolean): Promise<void> {
  for (let tries = 0; !condition(); tries++) {
    if (tries > 500) throw new Error('The condition did not become true.');
    await delay(10);
  }
}

afterAll(() => {
  for (const child of children) child.process.kill('SIGKILL');
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

describe('routes', () => {
  let host: Host;
  beforeAll(async () => {
    host = await boot(
      source(
        [
          say('anything', `route: 'items/{*rest}'`),
          say('item', `route: 'items/{id}'`),
          say('number', `route: 'items/{count:int}'`),
          say('special', `route: 'items/special'`),
          say('short', `route: 'short/{name:maxlength(3)}'`),
          say('letters', `route: 'letters/{name:alpha?}'`),
          say('page', `route: '{ignored:maxlength(0)?}'`),
          say('Named', `methods: ['POST', 'DELETE']`),
          say('head', `route: 'head', methods: ['GET', 'HEAD']`),
        ].join('\n'),
      ),
    );
  });

  it.each([
    ['/', 'page', {}],
    ['/?a=b', 'page', { a: 'b' }],
    ['/items/special', 'special', {}],
    ['/ITEMS/Special/', 'special', {}],
    ['/items/42', 'number', { count: '42' }],
    ['/items/x42', 'item', { id: 'x42' }],
    ['/items/a%20b%C3%A9%25', 'item', { id: 'a bé%' }],
    ['/items/a%2Fb', 'item', { id: 'a%2Fb' }],
    ['/items/x?ID=y&more=z', 'item', { ID: 'x', more: 'z' }],
    ['/items/12345678901234567890', 'number', { count: '12345678901234567890' }],
    ['/items/"quoted"', 'item', { id: '"quoted"' }],
    ['/items/a/b%20c', 'anything', { rest: 'a/b c' }],
    ['/items', 'anything', {}],
    ['/short/abc', 'short', { name: 'abc' }],
    ['/letters', 'letters', {}],
    ['/letters/abc', 'letters', { name: 'abc' }],
  ])('%s reaches %s', async (path, name, params) => {
    const response = await host.call(path);
    expect(await response.json()).toEqual([name, params]);
  });

  it.each([
    ['GET', '/nothing'],
    ['GET', '/short/abcd'],
    ['GET', '/letters/a1'],
    ['GET', '/special'],
    ['GET', '/Named'],
    ['HEAD', '/items/1'],
    ['PUT', '/'],
  ])('%s %s is 404 without a body', async (method, path) => {
    const response = await host.call(path, { method });
    expect([response.status, await response.text()]).toEqual([404, '']);
  });

  it('matches the listed methods only', async () => {
    expect((await host.call('/named', { method: 'DELETE' })).status).toBe(200);
    expect((await host.call('/head', { method: 'HEAD' })).status).toBe(200);
  });

  it('listens on both loopback addresses', async () => {
    for (const address of ['127.0.0.1', '[::1]']) {
      expect((await fetch(`http://${address}:${host.port}/`)).status).toBe(200);
    }
  });

  it('reports its status', async () => {
    expect(await (await host.call('/admin/host/status')).json()).toEqual({ state: 'Running' });
  });

  it('adds the prefix to every route', async () => {
    const { call } = await boot(source(`app.get('hello', async () => ({ body: 'hello' }));`), [], 'api/v1');
    expect(await (await call('/api/v1/hello')).text()).toBe('hello');
    expect((await call('/hello')).status).toBe(404);
  });

  it.each(['/ask', 'admin/x', 'Runtime', 'a/{id:guid}', 'file-{name}.txt'])('refuses %s', async (route) => {
    const code = source(`app.http('one', { route: '${route}', handler: async () => ({}) });`);
    const { message, child } = await run(writeApp(code));
    expect(message).toMatchObject({ type: 'failed', message: expect.stringContaining(`"${route}"`) });
    expect(await child.ended).toBe(1);
  });
});

describe('requests and answers', () => {
  let host: Host;
  beforeAll(async () => {
    host = await boot(
      source(`
        let release, cancelled;
        const http = (name, handler) => app.http(name, { methods: [], handler });
        http('echo', async (request) => ({ body: request.body, headers: { 'content-type': 'application/x-bytes' } }));
        app.http('describe', { route: 'describe/{*rest}', methods: [], handler: async (request, context) => ({ status: 201, headers: { 'x-answer': 'yes' },
          cookies: [{ name: 'a', value: '1' }, { name: 'b', value: '2' }],
          jsonBody: { url: request.url, method: request.method, headers: Object.fromEntries(request.headers),
            query: request.query.getAll('q'), trace: context.traceContext.traceParent, id: context.invocationId } }) });
        http('slow', async () => ({ body: new ReadableStream({
          start(controller) {
            controller.enqueue('first ');
            release = () => { controller.enqueue('last'); controller.close(); };
          },
          cancel() { cancelled = true; } }) }));
        http('release', async () => { release(); return {}; });
        http('early', async () => ({ status: 413, body: 'too large' }));
        http('nothing', async () => {});
        http('broken', async () => { throw new Error('secret detail'); });
        http('halfway', async () => ({ body: (async function* () { yield 'first '; throw new Error('halfway'); })() }));
        http('log', async (request, context) => { context.warn('look', { a: 1 }); return {}; });
        const { subscribe } = await import('node:diagnostics_channel');
        subscribe('http.server.request.start', ({ request, response }) => {
          if (request.url === '/slow' && request.headers['x-ms-invocation-id'])
            response.on('close', () => console.log('closed, finished: ' + response.writableFinished));
        });
      `),
    );
  });

  it('streams a large body in and out, byte for byte', async () => {
    const body = randomBytes(5 * 1024 * 1024);
    const response = await host.call('/echo', { method: 'POST', body });
    expect(response.headers.get('content-type')).toBe('application/x-bytes');
    expect(digest(await response.bytes())).toBe(digest(body));
  });

  it('streams a body of unknown length with any method', async () => {
    const body = new Blob(['one ', 'two']).stream();
    const init: RequestInit = { method: 'DELETE', body, duplex: 'half' };
    expect(await (await host.call('/echo', init)).text()).toBe('one two');
  });

  it('answers many requests at once', async () => {
    const texts = Array.from({ length: 200 }, (_, index) => `text ${index}`);
    const answers = texts.map(async (body) => (await host.call('/echo', { method: 'POST', body })).text());
    expect(await Promise.all(answers)).toEqual(texts);
  });

  it('forwards URL and headers, and returns status, headers and cookies', async () => {
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
    const headers = { traceparent, 'X-Mixed': 'Case', 'x-forwarded-host': 'elsewhere' };
    const response = await host.call('/describe?q=1&q=2', { headers });
    expect(response.status).toBe(201);
    expect(response.headers.get('x-answer')).toBe('yes');
    expect(response.headers.getSetCookie()).toEqual(['a=1', 'b=2']);
    const seen = (await response.json()) as { id: string; trace?: string };
    expect(seen).toMatchObject({ method: 'GET', query: ['1', '2'], headers: { 'x-mixed': 'Case' } });
    expect(seen).toMatchObject({ url: `http://localhost:${host.port}/describe?q=1&q=2` });
    expect(response.headers.get('x-ms-invocation-id')).toBe(seen.id);
    // There is a trace only with Application Insights.
    expect(seen.trace ?? '').toBe('');
  });

  it('encodes a path again after decoding it', async () => {
    const { url } = (await (await host.call('/describe/a%2Fb%3F%23%25%41é')).json()) as { url: string };
    expect(new URL(url).pathname).toBe('/describe/a%252Fb%3F%23%25A%C3%A9');
  });

  it.each([
    ['the query', '/describe?hEaDeRs={"x-user":"other"}', undefined],
    ['the JSON body', '/describe', { Headers: { 'x-user': 'other' } }],
  ])('takes the headers of the metadata from %s', async (_, path, body) => {
    const init = { headers: { 'x-user': 'me' }, ...(body && { method: 'POST', body: JSON.stringify(body) }) };
    const seen = await (await host.call(path, init)).json();
    expect(seen).toMatchObject({ headers: { 'x-user': 'other' } });
  });

  it('lets an invocation wait whose request it cannot forward', async () => {
    const socket = connect(host.port, '127.0.0.1');
    socket.write(Buffer.from('GET /describe HTTP/1.1\r\nHost: localhost\r\nx-name: é\r\n\r\n'));
    await until(() => host.child.stderr.includes('not ASCII'));
    socket.destroy();
  });

  it('streams the first part of a response before the last one exists', async () => {
    const response = await host.call('/slow');
    const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
    expect((await reader?.read())?.value).toBe('first ');
    await host.call('/release');
    expect((await reader?.read())?.value).toBe('last');
    await until(() => host.child.stdout.includes('closed, finished: true'));
  });

  it('notifies the app when a client disconnects', async () => {
    const client = new AbortController();
    const response = await host.call('/slow', { signal: client.signal });
    await response.body?.getReader().read();
    client.abort();
    await until(() => host.child.stdout.includes('closed, finished: false'));
  });

  it('delivers a response that is sent before the body was read', async () => {
    const upload = httpRequest({ port: host.port, path: '/early', method: 'POST' });
    upload.write('the beginning');
    const [response] = (await once(upload, 'response')) as [import('node:http').IncomingMessage];
    expect(response.statusCode).toBe(413);
    upload.end(randomBytes(1024 * 1024));
    await once(response.resume(), 'end');
  });

  it('answers 204 for a function that returns nothing', async () => {
    expect((await host.call('/nothing')).status).toBe(204);
  });

  it('answers 500 without details when a function throws, and logs the error on stderr', async () => {
    const response = await host.call('/broken', { method: 'POST', body: 'x' });
    expect([response.status, await response.text()]).toEqual([500, '']);
    await until(() => /error broken: .*secret detail/.test(host.child.stderr));
  });

  it('cuts off a response whose stream fails', async () => {
    const outcome = host.call('/halfway').then(async (response) => {
      // If nothing was sent before the failure, the response is an ordinary error.
      if (response.ok) await response.text();
      throw new Error(`status ${response.status}`);
    });
    await expect(outcome).rejects.toThrow(/terminated|status 500/);
  });

  it('logs one line with time, level and function', async () => {
    await host.call('/log');
    await until(() => /^\[\d\d:\d\d:\d\d\.\d{3}\] warning log: look \{ a: 1 \}$/m.test(host.child.stdout));
    expect(host.child.stdout).not.toContain('debug');
  });
});

it('runs a bundled app', async () => {
  const folder = writeApp('');
  const stdin = {
    contents: source(`app.get('hello', async () => ({ body: 'bundled' }));`),
    resolveDir: root,
  };
  const banner = {
    js: "import{createRequire}from'node:module';const require=createRequire(import.meta.url);",
  };
  await build({
    stdin,
    banner,
    bundle: true,
    format: 'esm',
    platform: 'node',
    external: ['@azure/functions-core'],
    outfile: join(folder, 'functions/app.js'),
  });
  const { message } = await run(folder);
  if (message.type !== 'ready') throw new Error(message.message);
  expect(await (await fetch(`http://localhost:${message.port}/hello`)).text()).toBe('bundled');
});

describe('keys', () => {
  const code = source(
    ['anonymous', 'function', 'admin']
      .map(
        (level) =>
          `app.http('${level}1', { route: 'x-${level}', authLevel: '${level}', handler: async () => ({}) });`,
      )
      .join('\n') + `app.timer('tick', { schedule: '0 0 * * * *', handler: async () => {} });`,
  );
  const open = [200, 200, 200];

  it.each([
    ['no key', undefined, [200, 401, 401], 401],
    ['a wrong key', 'wrong', [200, 401, 401], 401],
    ['the function key', 'function-key', [200, 200, 403], 403],
    ['the master key', 'master-key', open, 202],
  ])('with %s', async (_, key, expected, admin) => {
    const { call, message } = await boot(code, ['--enable-auth']);
    expect(message).toMatchObject({ functionKey: 'function-key', masterKey: 'master-key' });
    const headers: Record<string, string> = key === undefined ? {} : { 'x-functions-key': key };
    const paths = ['/x-anonymous', '/x-function', '/x-admin'];
    const byHeader = await Promise.all(paths.map(async (path) => (await call(path, { headers })).status));
    const byQuery = await Promise.all(
      paths.map(async (path) => (await call(`${path}?code=${key ?? ''}`)).status),
    );
    expect([byHeader, byQuery]).toEqual([expected, expected]);
    expect((await call('/admin/functions/tick', { method: 'POST', headers })).status).toBe(admin);
  });

  it('are not required by default', async () => {
    const { call } = await boot(code);
    const paths = ['/x-anonymous', '/x-function', '/x-admin'];
    expect(await Promise.all(paths.map(async (path) => (await call(path)).status))).toEqual(open);
  });
});

describe('the lifecycle of an app', () => {
  it('runs a timer function on request, with its hooks', async () => {
    const { call, child } = await boot(
      source(`
        app.hook.appStart((context) => console.log('started', typeof context.hookData));
        app.hook.preInvocation((context) => { context.hookData.seen = 'yes'; });
        app.hook.postInvocation((context) => console.log('after', context.hookData.seen, context.error?.message));
        app.timer('tick', { schedule: '0 0 * * * *', handler: async (timer, context) =>
          context.log('late', timer.isPastDue, typeof timer.scheduleStatus.last) });
        app.timer('fail', { schedule: '0 0 * * * *', handler: async () => { throw new Error('no'); } });
        app.get('page', async () => ({}));
      `),
    );
    const trigger = async (name: string) =>
      (await call(`/admin/functions/${name}`, { method: 'POST' })).status;
    expect([await trigger('Tick'), await trigger('fail')]).toEqual([202, 500]);
    expect([await trigger('unknown'), await trigger('page')]).toEqual([404, 404]);
    await until(() => child.stdout.includes('after yes no'));
    expect(child.stdout).toContain('started object');
    expect(child.stdout).toContain('information tick: late false string');
    expect(child.stdout).toContain('after yes undefined');
  });

  const stoppable = source(`
    let finish;
    app.get('slow', () => new Promise((resolve) => { finish = () => resolve({ body: 'done' }); console.log('asked'); }));
    app.hook.appTerminate(async () => { console.log('terminating'); finish?.(); });
  `);

  it('finishes requests in flight when it is stopped', async () => {
    const { call, stop, child } = await boot(stoppable);
    const slow = call('/slow').then((response) => response.text());
    await until(() => child.stdout.includes('asked'));
    expect(await stop()).toBe(0);
    expect(await slow).toBe('done');
    await until(() => child.stdout.includes('terminating'));
    expect(child.stdout.match(/terminating/g)).toHaveLength(1);
  });

  it('stops when its parent process is gone, and ignores SIGINT', async () => {
    const { child, call } = await boot(stoppable);
    child.process.kill('SIGINT');
    expect((await call('/unknown')).status).toBe(404);
    const exited = once(child.process, 'exit');
    child.process.disconnect();
    expect(await exited).toEqual([0, null]);
    await until(() => child.stdout.includes('terminating'));
  });

  it('exits with code 1 when a hook fails', async () => {
    const { stop, child } = await boot(source(`app.hook.appTerminate(() => { throw new Error('stuck'); });`));
    expect(await stop()).toBe(1);
    await until(() => child.stderr.includes('stuck'));
  });

  it('without a parent process, prints its address and stops on SIGINT', async () => {
    const args = [join(root, 'dev/functions-host/host.ts'), '--root', writeApp(stoppable), '--port', '0'];
    const child = startNode(args);
    children.add(child);
    await until(() => /^Listening on http:\/\/localhost:\d+$/m.test(child.stdout));
    child.process.kill('SIGINT');
    expect(await child.ended).toBe(0);
    expect(child.stdout).toContain('terminating');
  });

  it('reports a port that is taken', async () => {
    const { port } = await boot(stoppable);
    const { message, child } = await run(writeApp(stoppable), ['--port', String(port)]);
    expect(message).toMatchObject({ type: 'failed', code: 'EADDRINUSE' });
    expect(await child.ended).toBe(1);
  });

  it.each([
    [
      'throws at import',
      source(`app.get('page', async () => ({})); throw new Error('bad setting');`),
      'bad setting',
    ],
    ['registers no function', source(''), 'registered no function'],
    ['cannot be parsed', 'import {', 'functions/app.js'],
  ])('answers 404 for an app that %s', async (_, code, reason) => {
    const { call, stop, child } = await boot(code);
    expect((await call('/page')).status).toBe(404);
    expect(await stop()).toBe(0);
    await until(() => child.stderr.includes(reason));
    expect(child.stderr).toMatch(/^\[.*\] error host: /);
  });
});
