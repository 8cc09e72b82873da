/** The settings: what is required, what is refused, and that the example and the README name each of them. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { root } from '../../dev/build.ts';
import { ConfigError, type Environment, readAuthLevel, readConfig } from '../../src/lib/config.ts';

const minimal: Environment = {
  AZURE_OPENAI_ENDPOINT: 'https://name.openai.azure.com/',
  AZURE_OPENAI_API_KEY: 'key',
  AZURE_OPENAI_CHAT_DEPLOYMENT_NAME: 'gpt-4o',
  AzureWebJobsStorage: 'UseDevelopmentStorage=true',
};

function problems(env: Environment): readonly string[] {
  try {
    readConfig({ ...minimal, ...env });
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
}

describe('settings', () => {
  it('have defaults for all but the model and the storage', () => {
    expect(readConfig(minimal)).toMatchObject({
      model: {
        endpoints: [{ url: 'https://name.openai.azure.com', api: 'deployments', apiKey: 'key' }],
        temperature: 0,
        maxOutputTokens: undefined,
      },
      storage: { tableName: 'sessions' },
      historyMaxInteractions: 10,
      maxQuestionChars: 32_000,
      requestTimeoutMs: 100_000,
      keepWarmMs: 300_000,
    });
  });

  it('are all checked at once', () => {
    expect(() => readConfig({})).toThrow(/AZURE_OPENAI_ENDPOINT.*DEPLOYMENT_NAME.*Storage/);
  });

  it('may be empty, which is the same as absent', () => {
    expect(problems({ MODEL_TEMPERATURE: '', SYSTEM_PROMPT: '  ', HTTP_AUTH_LEVEL: '' })).toEqual([]);
    expect(problems({ AZURE_OPENAI_ENDPOINT: '' })).toEqual(['AZURE_OPENAI_ENDPOINT is missing.']);
  });

  it.each([
    ['AZURE_OPENAI_ENDPOINT', 'name.openai.azure.com'],
    ['AZURE_OPENAI_ENDPOINT', 'http://name.openai.azure.com'],
    ['MODEL_TEMPERATURE', '2.1'],
    ['MODEL_TEMPERATURE', 'warm'],
    ['MODEL_MAX_OUTPUT_TOKENS', '1.5'],
    ['HISTORY_MAX_INTERACTIONS', '0'],
    ['REQUEST_TIMEOUT_SECONDS', '221'],
    ['KEEP_WARM_MINUTES', '-1'],
    ['ANSWER_CACHE_TTL_SECONDS', '1e99'],
    ['SESSIONS_TABLE_NAME', 'my-table'],
    ['LANGSMITH_TRACING', 'true'],
    ['SESSIONS_STORAGE_CONNECTION_STRING', 'nonsense'],
    ['SESSIONS_TABLE_ENDPOINT', 'ftp://x'],
    ['HTTP_AUTH_LEVEL', 'public'],
    ['MODEL_MAX_CONCURRENCY', '0'],
    ['AZURE_OPENAI_FALLBACK_API_KEYS', 'one-too-many'],
  ])('are refused by name: %s=%s', (name, value) => {
    expect(problems({ [name]: value })).toEqual([expect.stringContaining(name)]);
  });

  it('name fallback endpoints and their keys in the same order', () => {
    const env = {
      ...minimal,
      AZURE_OPENAI_FALLBACK_ENDPOINTS: 'https://b.openai.azure.com, https://c.openai.azure.com/openai/v1/',
    };
    const { model } = readConfig({ ...env, AZURE_OPENAI_FALLBACK_API_KEYS: 'key-b,key-c' });
    expect(model.endpoints.slice(1)).toEqual([
      { url: 'https://b.openai.azure.com', api: 'deployments', apiKey: 'key-b' },
      { url: 'https://c.openai.azure.com/openai/v1', api: 'v1', apiKey: 'key-c' },
    ]);
    expect(readConfig({ ...env, AZURE_OPENAI_API_KEY: '' }).model.endpoints[2]?.apiKey).toBeUndefined();
    expect(problems({ AZURE_OPENAI_FALLBACK_ENDPOINTS: 'https://b.openai.azure.com,b' })).toEqual([
      expect.stringContaining('AZURE_OPENAI_FALLBACK_API_KEYS must have one key for each'),
      expect.stringContaining('AZURE_OPENAI_FALLBACK_ENDPOINTS must be an address'),
    ]);
  });

  it('keep their secrets out of the message', () => {
    expect(problems({ AzureWebJobsStorage: 'AccountKey=secret' }).join()).not.toContain('secret');
  });

  it('name the storage in a fixed order', () => {
    const own = { SESSIONS_STORAGE_CONNECTION_STRING: 'AccountName=own;AccountKey=k' };
    const endpoint = { SESSIONS_TABLE_ENDPOINT: 'https://own.table.core.windows.net/' };
    expect(readConfig({ ...minimal, ...own, ...endpoint }).storage).toMatchObject({
      connectionString: own.SESSIONS_STORAGE_CONNECTION_STRING,
    });
    expect(readConfig({ ...minimal, ...endpoint }).storage).toMatchObject({
      endpoint: 'https://own.table.core.windows.net',
    });
    const host = { ...minimal, AzureWebJobsStorage: '', AzureWebJobsStorage__clientId: 'id' };
    expect(readConfig({ ...host, AzureWebJobsStorage__accountName: 'acct' }).storage).toMatchObject({
      endpoint: 'https://acct.table.core.windows.net',
      identity: { clientId: 'id' },
    });
    const uri = 'https://acct.table.core.windows.net';
    expect(readConfig({ ...host, AzureWebJobsStorage__tableServiceUri: uri }).storage).toMatchObject({
      endpoint: uri,
    });
  });

  it('name the storage of the cloud in which the app is', () => {
    const account = { ...minimal, AzureWebJobsStorage: '', AzureWebJobsStorage__accountName: 'acct' };
    const american = readConfig({ ...account, AZURE_OPENAI_ENDPOINT: 'https://name.openai.azure.us' });
    expect(american.storage).toMatchObject({
      endpoint: 'https://acct.table.core.usgovcloudapi.net',
      identity: { authorityHost: 'https://login.microsoftonline.us' },
    });
    const authority = { ...account, AZURE_AUTHORITY_HOST: 'https://login.chinacloudapi.cn' };
    expect(readConfig(authority).storage).toMatchObject({
      endpoint: 'https://acct.table.core.chinacloudapi.cn',
      identity: { authorityHost: 'https://login.chinacloudapi.cn' },
    });
    const own = { ...minimal, SESSIONS_TABLE_ENDPOINT: 'https://own.table.core.chinacloudapi.cn' };
    expect(readConfig(own).storage).toMatchObject({
      identity: { authorityHost: 'https://login.chinacloudapi.cn' },
    });
  });

  it('want endpoints of one cloud where one identity signs in', () => {
    const AZURE_OPENAI_FALLBACK_ENDPOINTS = 'https://b.openai.azure.us';
    expect(problems({ AZURE_OPENAI_API_KEY: '', AZURE_OPENAI_FALLBACK_ENDPOINTS })).toEqual([
      expect.stringContaining('AZURE_OPENAI_FALLBACK_ENDPOINTS must be in the cloud'),
    ]);
    expect(problems({ AZURE_OPENAI_FALLBACK_ENDPOINTS, AZURE_OPENAI_FALLBACK_API_KEYS: 'key' })).toEqual([]);
  });

  it('have all prices of the model or none, and 0 is one', () => {
    const prices = { MODEL_PRICE_INPUT: '2.5', MODEL_PRICE_CACHED_INPUT: '0', MODEL_PRICE_OUTPUT: '10' };
    expect(readConfig(minimal).model.prices).toBeNull();
    expect(readConfig({ ...minimal, ...prices }).model.prices).toEqual({
      input: 2.5,
      cachedInput: 0,
      output: 10,
    });
    expect(problems({ MODEL_PRICE_INPUT: '2.5' })).toEqual([
      'MODEL_PRICE_CACHED_INPUT and MODEL_PRICE_OUTPUT must be set too: prices are known all or not at all.',
    ]);
    expect(problems({ ...prices, MODEL_PRICE_OUTPUT: '-1' })).toEqual([
      'MODEL_PRICE_OUTPUT must be a number of at least 0.',
    ]);
  });

  it('want telemetry only where somebody receives it', () => {
    expect(readConfig({ ...minimal, OTEL_SERVICE_NAME: 'ask' }).telemetry).toBeNull();
    const otlp = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector:4318/', WEBSITE_SITE_NAME: 'my-app' };
    expect(readConfig({ ...minimal, ...otlp }).telemetry).toEqual({
      otlpEndpoint: 'http://collector:4318',
      azureMonitorConnectionString: undefined,
      serviceName: 'my-app',
      capturesContent: false,
    });
    expect(problems({ OTEL_EXPORTER_OTLP_ENDPOINT: 'collector:4318' })).toEqual([
      'OTEL_EXPORTER_OTLP_ENDPOINT must be an address like http://localhost:4318.',
    ]);
  });

  it('ask for a key unless told otherwise', () => {
    expect(readAuthLevel({})).toBe('function');
    expect(readAuthLevel({ HTTP_AUTH_LEVEL: 'nonsense' })).toBe('function');
    expect(readAuthLevel({ HTTP_AUTH_LEVEL: 'anonymous' })).toBe('anonymous');
  });
});

describe('the example and the README', () => {
  const read = new Set<string>();
  readConfig(new Proxy(minimal, { get: (env, name: string) => (read.add(name), env[name]) }));
  // LangChain's own are read to be refused.
  const names = [...read].filter((name) => !name.startsWith('LANG')).toSorted();
  const example = JSON.parse(readFileSync(join(root, 'local.settings.example.json'), 'utf8')) as {
    IsEncrypted: boolean;
    Values: Record<string, unknown>;
  };

  it('local.settings.example.json holds every setting that is read, as strings', () => {
    expect(Object.keys(example.Values).toSorted()).toEqual(['FUNCTIONS_WORKER_RUNTIME', ...names].toSorted());
    for (const value of Object.values(example.Values)) expect(value).toBeTypeOf('string');
    expect(example.IsEncrypted).toBe(false);
  });

  it('the values of the example are the defaults', () => {
    const filled = Object.fromEntries(Object.entries(example.Values).filter(([, value]) => value !== ''));
    const config = readConfig({ ...minimal, ...(filled as Environment) });
    expect(config).toEqual(readConfig(minimal));
  });

  it('the README explains every setting', () => {
    const readme = readFileSync(join(root, 'README.md'), 'utf8');
    const explained = [...readme.matchAll(/^\| (.*?) \|/gm)].flatMap(([, cell = '']) =>
      [...cell.matchAll(/`(\w+)`/g)].map(([, name]) => name),
    );
    expect(explained).toEqual(expect.arrayContaining(names));
  });
});
