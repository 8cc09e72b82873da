/**
 * The program of the child process that model-process.ts starts. Its arguments are the model's address, its key and the
 * HTTP client's options as JSON. It gets {@link Command}s as messages and answers each with a {@link Report}.
 */
import { Agent, request, setGlobalDispatcher } from 'undici';
import { readConfig } from '../../src/lib/config/config.ts';
import { type ConnectionRecord, createConnectionRecord } from '../../src/lib/pool/connection-record.ts';
import { toAskError } from '../../src/lib/contract/errors.ts';
import { createHttpClient, type HttpClientOptions } from '../../src/lib/pool/http-client.ts';
import { createApiClient } from '../../src/lib/model/api-client.ts';
import { beginCall } from '../../src/lib/model/completion.ts';
import { PooledChatModel } from '../../src/lib/model/pooled-chat-model.ts';
import { createResilientModel } from '../../src/lib/model/resilient-model.ts';
import type { Command, Report } from './model-process.ts';

const [url = '', key = '', options = '{}'] = process.argv.slice(2);
const { model: config } = readConfig({
  AZURE_OPENAI_ENDPOINT: url,
  AZURE_OPENAI_API_KEY: key,
  AZURE_OPENAI_CHAT_DEPLOYMENT_NAME: 'gpt-4o',
  AzureWebJobsStorage: 'UseDevelopmentStorage=true',
  MODEL_MAX_CONCURRENCY: '2000',
});
const client = createHttpClient(JSON.parse(options) as HttpClientOptions);
setGlobalDispatcher(new Agent({ connect: { preferH2: true } }));
const model = createResilientModel(config, client, console.error);
// It would look up when the model retires, over connections of its own.
model.stop();
const [endpoint] = config.endpoints;
const chatModel = new PooledChatModel({
  api: 'chat',
  model: endpoint.deployment,
  client: createApiClient(config, endpoint, key, client),
});

async function ask(question: string, record: ConnectionRecord, how: Command['how']): Promise<void> {
  const controller = new AbortController();
  const { signal } = controller;
  if (how === 'raw') return askRaw(question);
  if (how === 'complete') {
    const call = { ...beginCall([['human', question]], false), connection: record };
    await model.complete(call, { signal, deadline: performance.now() + 60_000 });
    return;
  }
  try {
    const chunks = await chatModel.stream(question, { exchange: { signal, record } });
    for await (const { text } of chunks) if (text !== '' && how === 'abort') controller.abort();
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}

/** Sends the request with a bare HTTP client, as the baseline. */
async function askRaw(question: string): Promise<void> {
  const body = JSON.stringify({ messages: [{ role: 'user', content: question }] });
  const headers = { 'api-key': key, 'content-type': 'application/json' };
  const response = await request(`${url}/openai/deployments/gpt-4o/chat/completions?api-version=2024-10-21`, {
    method: 'POST',
    headers,
    body,
  });
  await response.body.json();
}

async function execute({ name, count, concurrency = count, how = 'complete' }: Command): Promise<Report> {
  const records = Array.from({ length: count }, createConnectionRecord);
  const failures: string[] = [];
  let next = 0;
  const cpu = process.cpuUsage();
  const worker = async (): Promise<void> => {
    while (next < count) {
      const index = next++;
      const record = records[index] ?? createConnectionRecord();
      await ask(`${name} ${index}`, record, how).catch((error) => failures.push(toAskError(error).code));
    }
  };
  if (how === 'warm') await client.warm(new URL(url));
  else await Promise.all(Array.from({ length: concurrency }, worker));
  const { user, system } = process.cpuUsage(cpu);
  globalThis.gc?.();
  return {
    records,
    failures,
    openConnections: client.openConnections(),
    cpuMs: (user + system) / 1000,
    heapBytes: process.memoryUsage().heapUsed,
  };
}

process.on('disconnect', () => process.exit());
process.on('message', (command: Command) => {
  void execute(command).then((report) => process.send?.(report));
});
