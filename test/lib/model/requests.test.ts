/** What the model is sent: the path, the headers and the body of each kind of request, byte for byte. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { ModelConfig } from '../../../src/lib/config/model-config.ts';
import { createHttpClient, type HttpClient } from '../../../src/lib/pool/http-client.ts';
import { beginCall, type Message } from '../../../src/lib/model/completion.ts';
import { createResilientModel } from '../../../src/lib/model/resilient-model.ts';
import { type ModelStandIn, startModelStandIn } from '../../support/model-stand-in.ts';

const SYSTEM: Message = ['system', 'You are a helpful assistant. Answer clearly and concisely.'];
const SHORT: Message[] = [SYSTEM, ['human', 'What is the capital of France?']];
const LONG: Message[] = [
  ['system', 'Answer "in French".\n\tAlways.'],
  ['human', 'Emoji 👋🏽 and \u2028 line'],
  ['ai', ''],
  ['human', 'C:\\temp\u0000'],
  ['ai', 'Ça va.'],
  ['human', 'And Spain?'],
];

interface Variant {
  prompt?: Message[];
  deployment?: string;
  key?: undefined;
  refuses?: ('temperature' | 'max_tokens')[];
  settings?: Partial<ModelConfig>;
}

const ALL_SETTINGS = { temperature: 0, maxOutputTokens: 300, reasoningEffort: 'low', verbosity: 'high' };

const VARIANTS: Record<string, Variant> = {
  'no settings': {},
  'sampling settings': { settings: { temperature: 0.7, maxOutputTokens: 300 } },
  'all settings, a reasoning name': { deployment: 'gpt-5-mini', settings: ALL_SETTINGS },
  'all settings, two of them refused': { settings: ALL_SETTINGS, refuses: ['temperature', 'max_tokens'] },
  'a history': { prompt: LONG },
  'a history, a reasoning name': { prompt: LONG, deployment: 'o3-mini' },
  'a name with other characters': { deployment: 'my model/größer' },
  'no key': { key: undefined, prompt: LONG, settings: { temperature: 2, verbosity: 'low' } },
};

let server: ModelStandIn;
let http: HttpClient;
beforeAll(async () => {
  server = await startModelStandIn();
  http = createHttpClient();
});
afterAll(async () => {
  await http.close();
  await server.close();
});

async function requestsOf(
  modelApi: 'chat' | 'responses',
  api: 'deployments' | 'v1',
  variant: Variant,
  streamed: boolean,
): Promise<string[]> {
  const { deployment = 'gpt-4o', prompt = SHORT, refuses = [], settings = {} } = variant;
  const base = api === 'v1' ? `${server.url}/openai/v1` : server.url;
  const apiKey = 'key' in variant ? undefined : 'the-key';
  const config: ModelConfig = {
    endpoints: [{ url: base, api, isAzure: false, deployment, apiKey }],
    maxConcurrency: 1,
    identity: { clientId: undefined, authorityHost: '', timeoutMs: 0 },
    tokenScope: '',
    apiVersion: '2025-04-01-preview',
    modelApi,
    temperature: undefined,
    maxOutputTokens: undefined,
    reasoningEffort: undefined,
    verbosity: undefined,
    systemPrompt: '',
    headers: {},
    prices: null,
    ...settings,
  };
  server.reset(refuses);
  const model = createResilientModel(config, http, () => {});
  await model.complete(beginCall(prompt, streamed), {
    signal: new AbortController().signal,
    deadline: Infinity,
    onText: streamed ? () => {} : undefined,
  });
  return server.requests;
}

it('is what it was before LangChain had a model of our own', async () => {
  const lines: string[] = [];
  for (const modelApi of ['chat', 'responses'] as const) {
    for (const api of ['deployments', 'v1'] as const) {
      for (const [name, variant] of Object.entries(VARIANTS)) {
        for (const streamed of [false, true]) {
          lines.push(`# ${modelApi}, ${api}, ${name}${streamed ? ', streamed' : ''}`);
          lines.push(...(await requestsOf(modelApi, api, variant, streamed)));
        }
      }
    }
  }
  expect(lines.filter((line) => line.startsWith('#'))).toHaveLength(64);
  await expect(`${lines.join('\n')}\n`).toMatchFileSnapshot('requests.txt');
});
