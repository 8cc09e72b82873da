/** Traces and metrics that the real exporters send to a receiver. */
import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { ask, askForError, eventually, post, startApp, type TestApp } from '../support/app.ts';
import { type Receiver, startReceiver } from '../../dev/stack/telemetry-receiver.ts';
import { metricsOf, named, pointsOf, spansOf, valuesOf } from '../support/otlp.ts';
import { startStorageProxy } from '../support/storage-proxy.ts';
import { NO_IDENTITY, TokenEndpoint } from '../support/token-endpoint.ts';

const TRACE = '0af7651916cd43dd8448eb211c80319c';
const HOST_SPAN = 'b7ad6b7169203331';
const traceparent = `00-${TRACE}-${HOST_SPAN}-01`;

const running: { stop?: () => Promise<unknown>; close?: () => Promise<unknown> }[] = [];
afterEach(async () => {
  for (const each of running.splice(0).toReversed()) await (each.stop ?? each.close)?.();
});

async function receiver(...args: Parameters<typeof startReceiver>): Promise<Receiver> {
  const started = await startReceiver(...args);
  running.push(started);
  return started;
}

async function appWith(env: Record<string, string>): Promise<TestApp> {
  const app = await startApp({ env });
  running.push(app);
  return app;
}

describe('over OTLP', () => {
  it('an expired answer has the fault that it took the place of', async () => {
    const otlp = await receiver();
    const app = await appWith({
      OTEL_EXPORTER_OTLP_ENDPOINT: otlp.url,
      ANSWER_CACHE_TTL_SECONDS: '1',
      CACHE_STALE_IF_ERROR_SECONDS: '60',
    });
    const question = randomUUID();
    await ask(app, { question });
    await delay(1100);
    app.emulator.failNext({ kind: 'status', status: 401 });
    await ask(app, { question }, { traceparent });
    await app.stop();

    const expected = {
      'ask.cache.result': 'stale',
      'ask.cache.tier': 'memory',
      'ask.cache.reason': 'expired',
      'ask.cache.fault': 'model_misconfigured',
    };
    const spans = spansOf(otlp).filter(({ traceId }) => traceId === TRACE);
    expect(valuesOf(named(spans, 'question').attributes)).toMatchObject({
      'ask.outcome': 'answered',
      ...expected,
    });
    expect(valuesOf(named(spans, 'chat gpt-4o').attributes)['error.type']).toBe('model_misconfigured');
    const results = pointsOf(metricsOf(otlp), 'ask.cache.results');
    expect(results.map(({ attributes }) => valuesOf(attributes))).toContainEqual(expected);
  });

  it('a question is part of the host’s trace, with spans for its steps and the model call', async () => {
    const otlp = await receiver();
    const app = await appWith({ OTEL_EXPORTER_OTLP_ENDPOINT: otlp.url });
    const question = randomUUID();
    await ask(app, { question, session_id: 'trace-tour' }, { traceparent });
    await app.stop();

    const spans = spansOf(otlp);
    expect(new Set(spans.map(({ traceId }) => traceId))).toEqual(new Set([TRACE]));
    const root = named(spans, 'question');
    expect(root.parentSpanId).toBe(HOST_SPAN);
    expect(valuesOf(root.attributes)).toMatchObject({
      'ask.outcome': 'answered',
      'ask.cache.result': 'miss',
      'faas.coldstart': true,
    });
    const names = ['read chat history', 'look up cached answer', 'write chat history', 'chat gpt-4o'];
    for (const name of names) expect(named(spans, name).parentSpanId).toBe(root.spanId);
    expect(spans).toHaveLength(1 + names.length);

    const chat = named(spans, 'chat gpt-4o');
    // SPAN_KIND_CLIENT
    expect(chat.kind).toBe(3);
    const attributes = valuesOf(chat.attributes);
    expect(attributes).toMatchObject({
      'gen_ai.operation.name': 'chat',
      'gen_ai.provider.name': 'azure.ai.openai',
      'gen_ai.request.model': 'gpt-4o',
      'gen_ai.request.stream': false,
      'gen_ai.response.id': expect.stringMatching(/^chatcmpl-/) as string,
      'gen_ai.response.model': expect.stringMatching(/^gpt-4o-/) as string,
      'gen_ai.response.finish_reasons': { values: [{ stringValue: 'stop' }] },
      'gen_ai.usage.input_tokens': expect.any(Number) as number,
      'gen_ai.usage.output_tokens': expect.any(Number) as number,
      'gen_ai.usage.cache_read.input_tokens': 0,
      'server.address': 'localhost',
      'server.port': Number(new URL(app.emulator.url).port),
    });
    expect(attributes['gen_ai.conversation.id']).toMatch(/^[\w-]{43}$/);
  });

  it('metrics have the names and buckets of the conventions, and those of this app', async () => {
    const otlp = await receiver();
    const prices = { MODEL_PRICES: 'input=2.5,cached_input=1.25,output=10' };
    const app = await appWith({ OTEL_EXPORTER_OTLP_ENDPOINT: otlp.url, ...prices });
    const question = randomUUID();
    await ask(app, { question });
    await ask(app, { question });
    await (await post(app, JSON.stringify({ question: randomUUID(), stream: true }))).text();
    await app.stop();

    const metrics = metricsOf(otlp);
    const [duration] = pointsOf(metrics, 'gen_ai.client.operation.duration');
    expect(duration).toMatchObject({ count: 2 });
    expect(duration?.explicitBounds?.slice(0, 3)).toEqual([0.01, 0.02, 0.04]);
    expect(pointsOf(metrics, 'gen_ai.client.operation.time_to_first_chunk')).toMatchObject([{ count: 1 }]);
    const types = pointsOf(metrics, 'gen_ai.client.token.usage').map(({ attributes, explicitBounds }) => [
      valuesOf(attributes)['gen_ai.token.type'],
      explicitBounds?.at(-1),
    ]);
    expect(types).toEqual([
      ['input', 67_108_864],
      ['output', 67_108_864],
    ]);
    const counts = (name: string, attribute: string) =>
      Object.fromEntries(
        pointsOf(metrics, name).map(({ attributes, asDouble }) => [
          String(valuesOf(attributes)[attribute]),
          asDouble,
        ]),
      );
    expect(counts('ask.cache.results', 'ask.cache.result')).toEqual({ miss: 2, hit: 1 });
    expect(counts('ask.connection.uses', 'ask.connection.reused')).toEqual({ false: 1, true: 1 });
    expect(counts('ask.cold_starts', '')).toEqual({ undefined: 1 });
    expect(counts('ask.breaker.open', 'ask.endpoint')).toEqual({ 0: 0 });
    expect(counts('ask.background_writes', 'ask.write.outcome')).toEqual({ done: 2, failed: 0 });
    const cost = counts('ask.cost', 'ask.cost.kind');
    expect(cost['spent']).toBeGreaterThan(0);
    expect(cost['saved']).toBeGreaterThan(0);
  });

  it('a failure has its error type; a caller’s mistake does not count as an error', async () => {
    const otlp = await receiver();
    const app = await appWith({ OTEL_EXPORTER_OTLP_ENDPOINT: otlp.url });
    for (let failures = 0; failures < 6; failures++) app.emulator.failNext({ kind: 'status', status: 500 });
    await askForError(app, { question: randomUUID() }, { traceparent });
    await askForError(app, { question: randomUUID() });
    // The circuit breaker is open, so that no call is made.
    await askForError(app, { question: randomUUID() });
    await askForError(app, '{"question": 1}');
    await app.stop();

    const spans = spansOf(otlp);
    expect(spans.filter(({ name }) => name === 'chat gpt-4o')).toHaveLength(2);
    const [duration] = pointsOf(metricsOf(otlp), 'gen_ai.client.operation.duration');
    expect(duration).toMatchObject({ count: 2 });
    const chat = named(spans, 'chat gpt-4o');
    expect(valuesOf(chat.attributes)).toMatchObject({ 'error.type': 'model_unavailable', 'ask.attempts': 3 });
    // STATUS_CODE_ERROR
    expect(chat.status.code).toBe(2);
    const questions = spans.filter(({ name }) => name === 'question');
    expect(
      questions.map(({ attributes, status }) => [valuesOf(attributes)['error.type'], status.code]),
    ).toEqual([
      ['model_unavailable', 2],
      ['model_unavailable', 2],
      ['circuit_open', 2],
      ['invalid_request', 0],
    ]);
    const [breaker] = pointsOf(metricsOf(otlp), 'ask.breaker.open');
    expect(breaker?.asDouble).toBe(1);
    const [openings] = pointsOf(metricsOf(otlp), 'ask.breaker.openings');
    expect(openings?.asDouble).toBe(1);
  });

  it('an answer that could not be stored is counted', async () => {
    const otlp = await receiver();
    const storage = await startStorageProxy();
    running.push(storage);
    const app = await appWith({
      OTEL_EXPORTER_OTLP_ENDPOINT: otlp.url,
      SESSIONS_STORAGE: storage.connectionString,
    });
    await ask(app, { question: randomUUID() });
    storage.failNext('insert', 'throttle', 9);
    expect((await ask(app, { question: randomUUID() })).performance_metrics.history_saved).toBe(false);
    await app.stop();
    expect(pointsOf(metricsOf(otlp), 'ask.history.lost')).toMatchObject([{ asDouble: 1 }]);
  });

  it('no content, user or key is sent unless content capture is enabled', { tags: ['long'] }, async () => {
    const secret = 'sesame-4c1d';
    const said = async (env: Record<string, string>): Promise<string> => {
      const otlp = await receiver();
      const app = await appWith({ OTEL_EXPORTER_OTLP_ENDPOINT: otlp.url, ...env });
      const id = randomUUID();
      const headers = { 'Idempotency-Key': `${secret}-key-${id}`, 'x-functions-key': `${secret}-function` };
      const fields = { question: `Repeat ${secret}`, session_id: `${secret}-session-${id}` };
      const answer = await ask(app, fields, headers);
      expect(answer.answer).toContain(secret);
      app.emulator.failNext({ kind: 'status', status: 400, message: `${secret}-upstream` });
      await askForError(app, { question: `${secret} again` });
      await app.stop();
      expect(spansOf(otlp).length).toBeGreaterThan(0);
      return JSON.stringify(otlp.received);
    };
    expect(await said({})).not.toContain(secret);
    const captured = await said({ OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT: 'true' });
    expect(captured).toContain(`Repeat ${secret}`);
    expect(captured).toContain('gen_ai.output.messages');
    expect(captured).not.toMatch(new RegExp(`${secret}-(key|function|session|upstream)`));
  });
});

/** Azure Monitor's answer to a batch that it took. */
const accepted = () => ({ itemsReceived: 1, itemsAccepted: 1, errors: [] });
/** The statuses of learn.microsoft.com/azure/azure-monitor/app/azure-ad-authentication#troubleshooting */
const statusOf = (authorization: string | undefined): number | null => {
  if (authorization === undefined) return 401;
  return authorization === 'Bearer monitor-token' ? null : 403;
};

it('Azure Monitor receives the question in its operation, the model call and the metrics', async () => {
  const azure = await receiver(accepted);
  const key = randomUUID();
  const app = await appWith({
    APPLICATIONINSIGHTS_CONNECTION_STRING: `InstrumentationKey=${key};IngestionEndpoint=${azure.url}/`,
    OTEL_SERVICE_NAME: 'ask-test',
  });
  await ask(app, { question: randomUUID() }, { traceparent });
  await app.stop();

  interface Item {
    iKey: string;
    tags: Record<string, string>;
    data: { baseType: string; baseData: { name: string; metrics?: { name: string }[] } };
  }
  const items = azure.received.flatMap(({ body }) => body as Item[]);
  expect(new Set(items.map(({ iKey }) => iKey))).toEqual(new Set([key]));
  const dependencies = items.filter(({ data }) => data.baseType === 'RemoteDependencyData');
  const question = dependencies.find(({ data }) => data.baseData.name === 'question');
  expect(question?.tags).toMatchObject({
    'ai.operation.id': TRACE,
    'ai.operation.parentId': HOST_SPAN,
    'ai.cloud.role': 'ask-test',
  });
  expect(dependencies.map(({ data }) => data.baseData.name)).toContain('chat gpt-4o');
  const metrics = items.flatMap(({ data }) => data.baseData.metrics ?? []).map(({ name }) => name);
  expect(metrics).toContain('gen_ai.client.operation.duration');
  expect(metrics).toContain('ask.cache.results');
});

/** An app with an identity, and an Azure Monitor that accepts one token only. */
async function startSignedIn(authentication: string, token = 'monitor-token') {
  const azure = await receiver(accepted, statusOf);
  const tokens = new TokenEndpoint(token);
  const { AZURE_OPENAI_API_KEY: _, ...identity } = await tokens.start();
  running.push({ close: async () => tokens.close() });
  const app = await appWith({
    ...(identity as Record<string, string>),
    APPLICATIONINSIGHTS_CONNECTION_STRING: `InstrumentationKey=${randomUUID()};IngestionEndpoint=${azure.url}/`,
    APPLICATIONINSIGHTS_AUTHENTICATION_STRING: authentication,
  });
  return { azure, tokens, app };
}

describe('Azure Monitor with local authentication turned off', () => {
  it('receives traces and metrics from the identity of the app', async () => {
    const { azure, tokens, app } = await startSignedIn('ClientId=client-7;Authorization=AAD');
    await ask(app, { question: randomUUID() });
    await app.stop();
    const types = azure.received.flatMap(({ body }) => body as { data: { baseType: string } }[]);
    expect(new Set(types.map(({ data }) => data.baseType))).toEqual(
      new Set(['RemoteDependencyData', 'MetricData']),
    );
    for (const { query } of tokens.requests) {
      expect(query.get('resource')).toBe('https://monitor.azure.com');
      expect(query.get('client_id')).toBe('client-7');
    }
    expect(app.output()).not.toContain('were not delivered');
  });

  it.each([
    ['has no role', 'Authorization=AAD', 'other-token', 'refused traces or metrics with 403'],
    ['is not used', '', 'monitor-token', 'does not accept the connection string alone'],
    ['is set wrongly', 'Authorization=Key', 'monitor-token', 'refused traces or metrics with 401'],
  ])('receives nothing when the identity %s, and the log says why', async (_, authentication, token, why) => {
    const { azure, app } = await startSignedIn(authentication, token);
    await ask(app, { question: randomUUID() });
    await app.stop();
    expect(azure.received).toEqual([]);
    expect(app.output()).toContain(why);
    expect(app.output()).toContain('APPLICATIONINSIGHTS_AUTHENTICATION_STRING');
    expect(app.output()).not.toContain(token);
  });

  it('receives nothing without an identity, and questions are answered', async () => {
    const { azure, tokens, app } = await startSignedIn('Authorization=AAD');
    tokens.answer = NO_IDENTITY;
    expect((await ask(app, { question: randomUUID() })).status).toBe('success');
    await app.stop();
    expect(azure.received).toEqual([]);
    expect(app.output()).toContain('IdentityError identity_refused');
  });
});

describe('a failing receiver', () => {
  it.each([
    ['is unreachable', async () => 'http://127.0.0.1:1'],
    ['never answers', async () => (await receiver(() => null)).url],
  ])('does not affect questions or delay the shutdown when it %s', { tags: ['long'] }, async (_, url) => {
    const endpoint = await url();
    const app = await appWith({
      OTEL_EXPORTER_OTLP_ENDPOINT: endpoint,
      APPLICATIONINSIGHTS_CONNECTION_STRING: `InstrumentationKey=${randomUUID()};IngestionEndpoint=${endpoint}/`,
    });
    const answers = await Promise.all(
      Array.from({ length: 50 }, () => ask(app, { question: randomUUID(), session_id: randomUUID() })),
    );
    expect(answers).toHaveLength(50);
    // The host did not kill the process for taking too long.
    expect(await app.stop()).toBe(0);
  });

  it('is reported in the log', { tags: ['long'] }, async () => {
    const app = await appWith({ OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:1' });
    await ask(app, { question: randomUUID() });
    await app.stop();
    expect(app.output()).toContain('could not be delivered before the stop');
  });

  it('with an invalid connection string is reported, and questions are answered', async () => {
    const app = await appWith({ APPLICATIONINSIGHTS_CONNECTION_STRING: 'InstrumentationKey=sesame' });
    await ask(app, { question: randomUUID() });
    await eventually(() => app.output().includes('Telemetry could not be started'));
    expect((await ask(app, { question: randomUUID() })).status).toBe('success');
    expect(app.output()).not.toContain('sesame');
  });
});
