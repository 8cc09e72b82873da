/** The log, spans and metrics of requests of the Model Context Protocol, with what the exporters send to a receiver. */
import { randomUUID } from 'node:crypto';
import { expect, it } from 'vitest';
import { startReceiver } from '../../dev/stack/telemetry-receiver.ts';
import { eventually } from '../support/app.ts';
import { connectClient, postMcp } from '../support/mcp-client.ts';
import { metricsOf, named, pointsOf, spansOf, valuesOf } from '../support/otlp.ts';
import { useFreshApp, useStarter } from '../support/fixture.ts';

const HOST = { trace: '0af7651916cd43dd8448eb211c80319c', span: 'b7ad6b7169203331' };
const CLIENT = { trace: '4bf92f3577b34da6a3ce929d0e0e4736', span: '00f067aa0ba902b7' };
const traceparentOf = ({ trace, span }: typeof HOST) => `00-${trace}-${span}-01`;

const otlp = useStarter(startReceiver, (receiver) => receiver.close());
const app = useFreshApp();
async function start(): Promise<void> {
  await otlp.start();
  await app.start({ env: { OTEL_EXPORTER_OTLP_ENDPOINT: otlp.url } });
}

interface McpLine {
  method: string;
  target?: string;
  outcome: string | number;
  protocol_version?: string;
  invocation: string;
  total_time: number;
}
const logLines = (): McpLine[] =>
  (app.output().match(/\{"event":"mcp_request".*\}/g) ?? []).map((line) => JSON.parse(line) as McpLine);

it('a tool call is a span of the host’s trace, with the question and its model call below it', async () => {
  await start();
  const client = await connectClient(app, 'auto', { traceparent: traceparentOf(HOST) });
  const { performance_metrics: metrics } = await client.ask({ question: randomUUID() });
  await client.sdk.listTools();
  await app.stop();

  const spans = spansOf(otlp);
  const tool = named(spans, 'tools/call ask');
  // SPAN_KIND_SERVER
  expect([tool.kind, tool.traceId, tool.parentSpanId]).toEqual([2, HOST.trace, HOST.span]);
  expect(valuesOf(tool.attributes)).toMatchObject({
    'mcp.method.name': 'tools/call',
    'mcp.protocol.version': '2026-07-28',
    'gen_ai.operation.name': 'execute_tool',
    'gen_ai.tool.name': 'ask',
    'jsonrpc.request.id': expect.any(String) as string,
    'faas.invocation_id': metrics.invocation,
  });
  const question = named(spans, 'question');
  expect(question.parentSpanId).toBe(tool.spanId);
  expect(valuesOf(question.attributes)).toMatchObject({ 'faas.coldstart': true, 'ask.outcome': 'answered' });
  expect(named(spans, 'chat gpt-4o').parentSpanId).toBe(question.spanId);
  expect(named(spans, 'tools/list').parentSpanId).toBe(HOST.span);

  const points = pointsOf(metricsOf(otlp), 'mcp.server.operation.duration');
  expect(points.map(({ attributes, count }) => [valuesOf(attributes)['mcp.method.name'], count])).toEqual(
    expect.arrayContaining([
      ['tools/call', 1],
      ['tools/list', 1],
    ]),
  );
  expect(points[0]?.explicitBounds?.slice(0, 3)).toEqual([0.01, 0.02, 0.05]);
  expect(pointsOf(metricsOf(otlp), 'ask.question.duration')).toMatchObject([{ count: 1 }]);
});

it('continues the trace that the client names in its message, with a link to the host’s', async () => {
  await start();
  const params = {
    name: 'ask',
    arguments: { question: randomUUID() },
    _meta: { traceparent: traceparentOf(CLIENT) },
  };
  const message = { jsonrpc: '2.0', id: 1, method: 'tools/call', params };
  await (await postMcp(app, message, { traceparent: traceparentOf(HOST) })).text();
  await app.stop();
  const tool = named(spansOf(otlp), 'tools/call ask');
  expect([tool.traceId, tool.parentSpanId]).toEqual([CLIENT.trace, CLIENT.span]);
  expect(tool.links).toMatchObject([{ traceId: HOST.trace, spanId: HOST.span }]);
});

it('an error of a tool is an error only when it is not the caller’s mistake', async () => {
  await start();
  const client = await connectClient(app);
  await client.call('ask', { question: ' ' });
  app.emulator.fault = { kind: 'status', status: 500 };
  await client.call('ask', { question: randomUUID() });
  await expect(client.call('nope', {})).rejects.toThrow();
  await (await postMcp(app, { jsonrpc: '2.0', id: 1, method: 'resources/read', params: {} })).text();
  await app.stop();
  const calls = spansOf(otlp).filter(({ name }) => /^(tools\/call|resources)/.test(name));
  expect(
    calls.map(({ name, attributes, status }) => [name, valuesOf(attributes)['error.type'], status.code]),
  ).toEqual([
    ['tools/call ask', 'tool_error', 0],
    ['tools/call ask', 'tool_error', 2],
    ['tools/call', '-32602', 0],
    ['resources/read', '-32602', 0],
  ]);
});

it('each request has a log line, without arguments, names from the client, keys or sessions', async () => {
  await start();
  const secret = 'sesame-7c1d';
  const client = await connectClient(app, 'legacy', { 'x-functions-key': `${secret}-key` });
  await client.ask({ question: `Repeat ${secret}`, session_id: `${secret}-${randomUUID()}` });
  await expect(client.call(secret, {})).rejects.toThrow();
  await expect(client.sdk.readResource({ uri: `session://${secret}` })).rejects.toThrow();
  await eventually(() => logLines().length === 4);
  expect(logLines().map(({ method, target, outcome }) => [method, target, outcome])).toEqual([
    ['initialize', undefined, 'ok'],
    ['tools/call', 'ask', 'ok'],
    ['tools/call', undefined, -32_602],
    ['resources/read', undefined, -32_602],
  ]);
  expect(logLines()[1]).toMatchObject({
    protocol_version: '2025-11-25',
    total_time: expect.any(Number) as number,
  });
  expect(app.output()).toContain(
    `"event":"question","outcome":"answered","invocation":"${logLines()[1]?.invocation}"`,
  );
  await app.stop();
  expect(app.output()).not.toContain(secret);
  expect(JSON.stringify(otlp.received)).not.toContain(secret);
});
