/** The settings: required ones, invalid values, their example and their documentation. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { root } from '../../../dev/stack/root.ts';
import { readAuthLevel } from '../../../src/lib/config/access-config.ts';
import { ConfigError, type Environment, readConfig } from '../../../src/lib/config/config.ts';

const minimal: Environment = {
  AZURE_OPENAI_ENDPOINT: 'https://name.openai.azure.com/',
  AZURE_OPENAI_API_KEY: 'key',
  AZURE_OPENAI_CHAT_DEPLOYMENT_NAME: 'gpt-4o',
  AzureWebJobsStorage: 'UseDevelopmentStorage=true',
};

const ANONYMOUS: Environment = { HTTP_AUTH_LEVEL: 'anonymous' };
const DIGEST = createHash('sha256').update('a key').digest('hex');

/** Only the address that a portal shows. */
const PORTAL: Environment = {
  AZURE_OPENAI_ENDPOINT:
    'https://name.openai.azure.com/openai/deployments/gpt-4o/chat/completions?api-version=2025-01-01-preview',
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
  it('have defaults except for the model and the storage', () => {
    expect(readConfig(minimal)).toMatchObject({
      model: {
        endpoints: [{ url: 'https://name.openai.azure.com', api: 'deployments', apiKey: 'key' }],
        temperature: undefined,
        reasoningEffort: undefined,
        maxOutputTokens: undefined,
      },
      storage: { tableName: 'sessions' },
      historyMaxInteractions: 10,
      maxQuestionChars: 32_000,
      requestTimeoutMs: 100_000,
      keepWarmMs: 300_000,
    });
  });

  it('are checked together', () => {
    expect(() => readConfig({})).toThrow(/AZURE_OPENAI_ENDPOINT.*DEPLOYMENT_NAME.*Storage/);
  });

  it('are unset when they are empty', () => {
    expect(problems({ MODEL_TEMPERATURE: '', SYSTEM_PROMPT: '  ', HTTP_AUTH_LEVEL: '' })).toEqual([]);
    expect(problems({ AZURE_OPENAI_ENDPOINT: '' })).toEqual(['AZURE_OPENAI_ENDPOINT is missing.']);
  });

  it.each<[string, string, Environment?]>([
    ['AZURE_OPENAI_ENDPOINT', 'name.openai.azure.com'],
    ['AZURE_OPENAI_ENDPOINT', 'http://name.openai.azure.com'],
    ['MODEL_TEMPERATURE', '2.1'],
    ['MODEL_TEMPERATURE', 'warm'],
    ['MODEL_MAX_OUTPUT_TOKENS', '1.5'],
    ['MODEL_REASONING_EFFORT', 'very high'],
    ['MODEL_API', 'completions'],
    ['MODEL_ALLOW_HTTP', 'yes'],
    ['MODEL_HEADERS', 'x-key: secret'],
    ['MODEL_HEADERS', '["secret"]'],
    ['MODEL_HEADERS', '{"x-key": 7, "x-other": "secret"}'],
    ['MODEL_HEADERS', '{"x key": "secret"}'],
    ['MODEL_HEADERS', '{"x-key": "secret\\n"}'],
    ['MODEL_HEADERS', '{"Authorization": "Bearer secret"}'],
    ['MODEL_VERBOSITY', 'very low'],
    ['AZURE_OPENAI_FALLBACK_ENDPOINTS', 'gpt-4.1=', { AZURE_OPENAI_FALLBACK_API_KEYS: 'k' }],
    ['AZURE_OPENAI_ENDPOINT', 'http://models.example.com/v1'],
    ['HISTORY_MAX_INTERACTIONS', '0'],
    ['MODEL_PRICES', 'input=2.5'],
    ['MODEL_PRICES', '2.5,1.25,10'],
    ['MODEL_PRICES', 'cache_write=3'],
    ['MODEL_PRICES', 'input=2.5,cached_input=,output=10'],
    ['MODEL_PRICES', 'input=2.5,cached_input=1.25,output=-1'],
    ['MODEL_PRICES', 'input=2.5,cached_input=1.25,output=ten'],
    ['MODEL_PRICES', 'input=2,5,cached_input=1,25,output=10'],
    ['MODEL_PRICES', 'input=2.5,cached_input=1.25,output=10,output=11'],
    ['MODEL_PRICES', 'input=2.5,cached_input=1.25,output=10,batch=5'],
    ['MODEL_PRICES', 'input=2.5,cached_input=1.25,output=10,long_context_tokens=0.5'],
    ['REQUEST_TIMEOUT_SECONDS', '221'],
    ['KEEP_WARM_MINUTES', '-1'],
    ['ANSWER_CACHE_TTL_SECONDS', '1e99'],
    ['CACHE_STALE_IF_ERROR_SECONDS', '-1'],
    ['SESSIONS_TABLE_NAME', 'my-table'],
    ['LANGSMITH_TRACING', 'true'],
    ['LANGSMITH_TRACING', 'on'],
    ['LANGCHAIN_TRACING_V2', 'true'],
    ['LANGCHAIN_VERBOSE', 'true'],
    ['LANGSMITH_HIDE_INPUTS', 'no'],
    ['SESSIONS_STORAGE', 'secret'],
    ['SESSIONS_STORAGE', 'account.table.core.windows.net'],
    ['SESSIONS_STORAGE', 'http://account.table.core.windows.net'],
    ['SESSIONS_STORAGE', 'ftp://x'],
    ['SESSIONS_STORAGE_CONNECTION_STRING', 'AccountKey=secret'],
    ['SESSIONS_TABLE_ENDPOINT', 'https://own.table.core.windows.net'],
    ['MODEL_PRICE_INPUT', '2.5'],
    ['AZURE_OPENAI_FALLBACK_DEPLOYMENTS', 'gpt-5'],
    ['HTTP_AUTH_LEVEL', 'public'],
    ['TRUST_USER_HEADERS', 'yes'],
    ['CALLER_KEYS', 'secret', ANONYMOUS],
    ['CALLER_KEYS', 'shop=secret', ANONYMOUS],
    ['CALLER_KEYS', `secret shop=${DIGEST}`, ANONYMOUS],
    ['CALLER_KEYS', `me=${DIGEST}`, ANONYMOUS],
    ['CALLER_KEYS', `..=${DIGEST}`, ANONYMOUS],
    ['CALLER_KEYS', `${'x'.repeat(65)}=${DIGEST}`, ANONYMOUS],
    ['CALLER_KEYS', `shop=${DIGEST}0`, ANONYMOUS],
    ['CALLER_KEYS', `shop=${DIGEST}=secret`, ANONYMOUS],
    ['CALLER_KEYS', `shop=${DIGEST}, desk=${DIGEST.toUpperCase()}`, ANONYMOUS],
    ['CALLER_KEYS', `shop=${createHash('sha256').digest('hex')}`, ANONYMOUS],
    ['CALLER_KEYS', ' , ', ANONYMOUS],
    ['CALLER_KEYS', `shop=${DIGEST}`],
    ['CALLER_KEYS', `shop=${DIGEST}`, { ...ANONYMOUS, WEBSITE_AUTH_ENABLED: 'True' }],
    ['MODEL_MAX_CONCURRENCY', '0'],
    ['AZURE_OPENAI_FALLBACK_API_KEYS', 'one-too-many'],
    ['AZURE_OPENAI_ENDPOINT', 'https://name.services.ai.azure.com/api/projects/mine'],
    ['AZURE_OPENAI_ENDPOINT', 'https://name.services.ai.azure.com/models/chat/completions'],
    ['AZURE_OPENAI_ENDPOINT', 'https://name.openai.azure.com/openai/deployments/gpt-4o/embeddings'],
    ['AZURE_OPENAI_ENDPOINT', 'https://name.openai.azure.com/openai/deployments/%zz/chat/completions'],
    ['AZURE_OPENAI_ENDPOINT', 'https://name.openai.azure.com/?key=secret'],
    ['AZURE_OPENAI_ENDPOINT', 'https://gateway.example.com/deployments/gpt-4o/chat/completions'],
    ['AZURE_OPENAI_CHAT_DEPLOYMENT_NAME', 'not-the-one-in-the-address', PORTAL],
    ['AZURE_OPENAI_API_VERSION', '2024-10-21', PORTAL],
    ['AzureWebJobsStorage', 'DefaultEndpointsProtocol=https;AccountName=name;AccountKey=secret'],
    ['AzureWebJobsStorage', 'AccountName=a b;DefaultEndpointsProtocol=https;AccountKey=k;EndpointSuffix=x'],
    ['OTEL_EXPORTER_OTLP_ENDPOINT', 'http://collector:4318/?token=secret'],
    ['BUDGET_CALLER_DAY', '0'],
    ['RATE_CALLER_PER_MINUTE', '1.5'],
  ])('are refused by name: %s=%s', (name, value, others = {}) => {
    const found = problems({ ...others, [name]: value });
    expect(found).toEqual([expect.stringContaining(name)]);
    expect(found.join()).not.toContain('secret');
    expect(found.join().toLowerCase()).not.toContain(DIGEST);
  });

  it.each([
    ['https://name.openai.azure.com', ''],
    ['https://name.cognitiveservices.azure.com', ''],
    ['https://name.services.ai.azure.com', ''],
    ['https://gateway.example.com', '/models'],
  ])('take the deployment and the API version from the address of an operation: %s%s', (origin, prefix) => {
    const env = {
      ...minimal,
      AZURE_OPENAI_CHAT_DEPLOYMENT_NAME: '',
      AZURE_OPENAI_ENDPOINT: `${origin}${prefix}/openai/deployments/my%20model/chat/completions?api-version=2025-01-01-preview`,
    };
    expect(readConfig(env).model).toMatchObject({
      endpoints: [{ url: origin + prefix, api: 'deployments', isAzure: true, deployment: 'my model' }],
      apiVersion: '2025-01-01-preview',
    });
  });

  it('name fallback endpoints and their keys in the same order', () => {
    const env = {
      ...minimal,
      AZURE_OPENAI_FALLBACK_ENDPOINTS: 'https://b.openai.azure.com, https://c.openai.azure.com/openai/v1/',
    };
    const { model } = readConfig({ ...env, AZURE_OPENAI_FALLBACK_API_KEYS: 'key-b,key-c' });
    const same = { isAzure: true, deployment: 'gpt-4o' };
    expect(model.endpoints.slice(1)).toEqual([
      { ...same, url: 'https://b.openai.azure.com', api: 'deployments', apiKey: 'key-b' },
      { ...same, url: 'https://c.openai.azure.com/openai/v1', api: 'v1', apiKey: 'key-c' },
    ]);
    expect(readConfig({ ...env, AZURE_OPENAI_API_KEY: '' }).model.endpoints[2]?.apiKey).toBeUndefined();
    expect(problems({ AZURE_OPENAI_FALLBACK_ENDPOINTS: 'https://b.openai.azure.com,b' })).toEqual([
      expect.stringContaining('AZURE_OPENAI_FALLBACK_API_KEYS must have one key for each'),
      expect.stringContaining('AZURE_OPENAI_FALLBACK_ENDPOINTS must be an address'),
    ]);
  });

  it('name the deployment of a fallback endpoint before its address', () => {
    const { model } = readConfig({
      ...minimal,
      AZURE_OPENAI_FALLBACK_ENDPOINTS:
        'gpt-4.1=https://b.openai.azure.com, https://c.openai.azure.com/openai/v1/?api-version=preview, llama3:8b = http://localhost:11434/v1',
      AZURE_OPENAI_FALLBACK_API_KEYS: 'key-b,key-c,key-d',
    });
    expect(model.endpoints.map(({ deployment, url }) => [deployment, url])).toEqual([
      ['gpt-4o', 'https://name.openai.azure.com'],
      ['gpt-4.1', 'https://b.openai.azure.com'],
      ['gpt-4o', 'https://c.openai.azure.com/openai/v1'],
      ['llama3:8b', 'http://localhost:11434/v1'],
    ]);
  });

  it.each([
    ['http://localhost:11434/v1', 'http://localhost:11434/v1'],
    ['https://api.openai.com/v1/', 'https://api.openai.com/v1'],
    ['https://models.github.ai/inference/chat/completions', 'https://models.github.ai/inference'],
  ])('take the address of another OpenAI-compatible server: %s', (address, url) => {
    const env = { ...minimal, AZURE_OPENAI_ENDPOINT: address, AZURE_OPENAI_API_KEY: '' };
    expect(readConfig(env).model.endpoints).toEqual([
      { url, api: 'v1', isAzure: false, deployment: 'gpt-4o', apiKey: undefined },
    ]);
  });

  it.each([
    ['ollama:11434/v1', 'begins with https:// or http://'],
    ['192.168.1.5:8080/v1', 'begins with https:// or http://'],
    ['http://ollama:11434/v1', 'set MODEL_ALLOW_HTTP to "on"'],
    ['http://192.168.1.5:8080/v1', 'set MODEL_ALLOW_HTTP to "on"'],
    ['http://localhost:8091', 'add /v1'],
    ['http://name.openai.azure.com', 'begins with https://'],
  ])('say what is wrong with the address of another server: %s', (address, advice) => {
    const found = problems({ AZURE_OPENAI_ENDPOINT: address });
    expect(found).toEqual([expect.stringContaining(advice)]);
    expect(found.join()).not.toContain('table.core');
  });

  it('allow plain http to another machine when told to', () => {
    const address = { AZURE_OPENAI_ENDPOINT: 'http://ollama:11434/v1' };
    expect(problems({ ...address, MODEL_ALLOW_HTTP: 'on' })).toEqual([]);
  });

  it('take further headers for the model', () => {
    const headers = readConfig({ ...minimal, MODEL_HEADERS: '{"X-Portkey-Provider": "openai"}' }).model
      .headers;
    expect(headers).toEqual({ 'x-portkey-provider': 'openai' });
  });

  it('choose the API version by the API of the model', () => {
    expect(readConfig(minimal).model.apiVersion).toBe('2024-10-21');
    expect(readConfig({ ...minimal, MODEL_API: 'responses' }).model.apiVersion).toBe('2025-04-01-preview');
  });

  it('keep secrets out of the messages', () => {
    expect(problems({ AzureWebJobsStorage: 'AccountKey=secret' }).join()).not.toContain('secret');
  });

  it('select the storage in a fixed order', () => {
    const own = {
      SESSIONS_STORAGE:
        'DefaultEndpointsProtocol=https;AccountName=own;AccountKey=k;EndpointSuffix=core.windows.net',
    };
    const endpoint = { SESSIONS_STORAGE: 'https://own.table.core.windows.net/' };
    expect(readConfig({ ...minimal, ...own }).storage).toMatchObject({
      connectionString: own.SESSIONS_STORAGE,
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

  it('select the storage in the cloud of the app', () => {
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
    const own = { ...minimal, SESSIONS_STORAGE: 'https://own.table.core.chinacloudapi.cn' };
    expect(readConfig(own).storage).toMatchObject({
      identity: { authorityHost: 'https://login.chinacloudapi.cn' },
    });
  });

  it('require all endpoints in one cloud when the app signs in with an identity', () => {
    const AZURE_OPENAI_FALLBACK_ENDPOINTS = 'https://b.openai.azure.us';
    expect(problems({ AZURE_OPENAI_API_KEY: '', AZURE_OPENAI_FALLBACK_ENDPOINTS })).toEqual([
      expect.stringContaining('AZURE_OPENAI_FALLBACK_ENDPOINTS must be in the same cloud'),
    ]);
    expect(problems({ AZURE_OPENAI_FALLBACK_ENDPOINTS, AZURE_OPENAI_FALLBACK_API_KEYS: 'key' })).toEqual([]);
  });

  it('take the prices of the model, also 0', () => {
    const MODEL_PRICES = 'input=2.5, cached_input=0, output=10';
    expect(readConfig(minimal).model.prices).toBeNull();
    expect(readConfig({ ...minimal, MODEL_PRICES }).model.prices).toEqual({
      input: 2.5,
      cachedInput: 0,
      cacheWrite: 2.5,
      output: 10,
      longContext: null,
    });
    const more = { MODEL_PRICES: `${MODEL_PRICES}, cache_write = 3, long_context_tokens=272000` };
    expect(readConfig({ ...minimal, ...more }).model.prices).toMatchObject({
      cacheWrite: 3,
      longContext: { tokens: 272_000, input: 2, output: 1.5 },
    });
  });

  it('need prices and a limit of the output for a budget of money, and a budget of one answer at least', () => {
    const MODEL_PRICES = 'input=2,cached_input=1,output=10';
    const model = { MODEL_PRICES, MODEL_MAX_OUTPUT_TOKENS: '1000' };
    expect(readConfig({ ...minimal, ...model }).budgets).toBeNull();
    expect(readConfig({ ...minimal, RATE_CALLER_PER_MINUTE: '20' }).budgets).toMatchObject({
      callerQuestionsPerMinute: 20,
      prices: null,
    });
    expect(readConfig({ ...minimal, ...model, BUDGET_CALLER_DAY: '1' }).budgets).toMatchObject({
      caller: { day: 1, month: undefined },
      app: { day: undefined, month: undefined },
    });
    expect(problems({ BUDGET_APP_MONTH: '100' })).toEqual([
      expect.stringMatching(/^BUDGET_APP_MONTH needs MODEL_PRICES/),
      expect.stringMatching(/^BUDGET_APP_MONTH needs MODEL_MAX_OUTPUT_TOKENS/),
    ]);
    expect(problems({ ...model, BUDGET_CALLER_DAY: '0.009' })).toEqual([
      expect.stringMatching(/^BUDGET_CALLER_DAY is less than one answer/),
    ]);
    expect(readConfig({ ...minimal, ...model, BUDGET_CALLER_DAY: '0.03' }).warnings).toEqual([
      expect.stringMatching(/^BUDGET_CALLER_DAY is less than four answers/),
    ]);
  });

  it('enable telemetry only when a receiver is set', () => {
    expect(readConfig({ ...minimal, OTEL_SERVICE_NAME: 'ask' }).telemetry).toBeNull();
    const otlp = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector:4318/', WEBSITE_SITE_NAME: 'my-app' };
    expect(readConfig({ ...minimal, ...otlp }).telemetry).toEqual({
      otlpEndpoint: 'http://collector:4318',
      azureMonitor: undefined,
      serviceName: 'my-app',
      capturesContent: false,
    });
    expect(problems({ OTEL_EXPORTER_OTLP_ENDPOINT: 'collector:4318' })).toEqual([
      'OTEL_EXPORTER_OTLP_ENDPOINT must be an address like http://localhost:4318.',
    ]);
  });

  it.each([
    ['Authorization=AAD', undefined],
    ['ClientId=4f2c;Authorization=AAD', '4f2c'],
    [' authorization = aad ; clientid = 4f2c ;', '4f2c'],
  ])('sign in to Application Insights with %j', (APPLICATIONINSIGHTS_AUTHENTICATION_STRING, clientId) => {
    const connectionString = 'InstrumentationKey=key';
    const env = { ...minimal, APPLICATIONINSIGHTS_CONNECTION_STRING: connectionString };
    expect(readConfig(env).telemetry?.azureMonitor).toEqual({ connectionString, identity: undefined });
    const signedIn = readConfig({ ...env, APPLICATIONINSIGHTS_AUTHENTICATION_STRING });
    expect(signedIn.telemetry?.azureMonitor).toEqual({
      connectionString,
      identity: { clientId, authorityHost: 'https://login.microsoftonline.com', timeoutMs: 10_000 },
    });
    expect(signedIn.warnings).toEqual([]);
  });

  it.each(['AAD', 'Authorization=Basic', 'ClientId=4f2c', 'ClientId=;Authorization=AAD'])(
    'report that Application Insights cannot be signed in to with %j',
    (APPLICATIONINSIGHTS_AUTHENTICATION_STRING) => {
      const APPLICATIONINSIGHTS_CONNECTION_STRING = 'InstrumentationKey=key';
      const config = readConfig({
        ...minimal,
        APPLICATIONINSIGHTS_CONNECTION_STRING,
        APPLICATIONINSIGHTS_AUTHENTICATION_STRING,
      });
      expect(config.warnings).toEqual([
        expect.stringContaining('APPLICATIONINSIGHTS_AUTHENTICATION_STRING must be "Authorization=AAD"'),
      ]);
      expect(config.telemetry?.azureMonitor?.identity).toBeUndefined();
    },
  );

  it.each([
    ['rediss://name.westeurope.redis.azure.net:10000', 'https://login.microsoftonline.com'],
    ['rediss://name.redis.cache.windows.net:6380', 'https://login.microsoftonline.com'],
    ['rediss://name.redis.cache.usgovcloudapi.net:6380', 'https://login.microsoftonline.us'],
  ])('sign in to a Redis of Azure without a key: %s', (ANSWER_CACHE_REDIS_URL, authorityHost) => {
    const env = { ...minimal, ANSWER_CACHE_REDIS_URL, AZURE_CLIENT_ID: '4f2c' };
    expect(readConfig(env).cache.redis).toEqual({
      url: ANSWER_CACHE_REDIS_URL,
      identity: { clientId: '4f2c', authorityHost, timeoutMs: 10_000 },
    });
  });

  it.each([
    'rediss://:key@name.westeurope.redis.azure.net:10000',
    'redis://name.westeurope.redis.azure.net:10000',
    'rediss://redis.example.com:6379',
    'rediss://name.redis.azure.net.example.com:10000',
    'redis://localhost:6379',
  ])('send no token to Redis at %s', (ANSWER_CACHE_REDIS_URL) => {
    const env = { ...minimal, ANSWER_CACHE_REDIS_URL, AZURE_CLIENT_ID: '4f2c' };
    expect(readConfig(env).cache.redis).toEqual({ url: ANSWER_CACHE_REDIS_URL });
  });

  it('require a function key by default', () => {
    expect(readAuthLevel({})).toBe('function');
    expect(readAuthLevel({ HTTP_AUTH_LEVEL: 'nonsense' })).toBe('function');
    expect(readAuthLevel({ HTTP_AUTH_LEVEL: 'anonymous' })).toBe('anonymous');
  });
});

const warnings = (env: Environment): readonly string[] => readConfig({ ...minimal, ...env }).warnings;

describe('names that are not settings', () => {
  it.each([
    ['SYSTEM_PROMT', 'SYSTEM_PROMPT'],
    ['AZURE_OPENAI_ENDPIONT', 'AZURE_OPENAI_ENDPOINT'],
    ['AZURE_OPENAI_DEPLOYMENT', 'AZURE_OPENAI_CHAT_DEPLOYMENT_NAME'],
    ['AZURE_OPENAI_DEPLOYMENT_NAME', 'AZURE_OPENAI_CHAT_DEPLOYMENT_NAME'],
    ['AZURE_OPENAI_KEY', 'AZURE_OPENAI_API_KEY'],
    ['AZURE_OPENAI_API_KEYS', 'AZURE_OPENAI_API_KEY'],
    ['MODEL_MAX_TOKENS', 'MODEL_MAX_OUTPUT_TOKENS'],
    ['SESSIONS_STORE', 'SESSIONS_STORAGE'],
    ['ANSWER_CACHE_MB', 'ANSWER_CACHE_MAX_MB'],
    ['log_level', 'LOG_LEVEL'],
  ])('%s is reported with the likely name', (name, likely) => {
    expect(warnings({ [name]: 'secret' })).toEqual([
      `${name} is not a setting of this app: did you mean ${likely}?`,
    ]);
    expect(warnings({ [name]: '' })).toEqual([]);
  });

  it.each(['ANSWER_CACHE_MEMORY_MB', 'MODEL_PRICE_LONG_CONTEXT_INPUT_FACTOR', 'HISTORY_LENGTH'])(
    'are reported when they begin like settings of this app only: %s',
    (name) => expect(warnings({ [name]: '64' })).toEqual([`${name} is not a setting of this app.`]),
  );

  it('are also reported with invalid settings: they may be the cause', () => {
    const env = { AZURE_OPENAI_CHAT_DEPLOYMENT_NAME: '', AZURE_OPENAI_DEPLOYMENT: 'gpt-4o' };
    expect(problems(env)).toEqual([
      'AZURE_OPENAI_CHAT_DEPLOYMENT_NAME is missing.',
      expect.stringContaining('AZURE_OPENAI_DEPLOYMENT is not a setting'),
    ]);
  });

  it('are not found among the variables of Azure, the Functions host, the system and other tools', () => {
    // learn.microsoft.com/azure/app-service/reference-app-settings, .../azure-functions/functions-app-settings
    const names = `
      APPSETTING_SYSTEM_PROMPT APPSETTING_AZURE_OPENAI_ENDPOINT APPSETTING_WEBSITE_SITE_NAME
      APPINSIGHTS_INSTRUMENTATIONKEY ApplicationInsightsAgent_EXTENSION_VERSION
      AzureWebJobsDashboard AzureWebJobsFeatureFlags AzureWebJobsScriptRoot AzureWebJobsSecretStorageType
      AzureWebJobsStorage__blobServiceUri AzureWebJobsStorage__queueServiceUri AzureWebJobsStorage__credential
      AzureWebJobs_ExtensionBundle AZURE_FUNCTIONS_ENVIRONMENT AZURE_TENANT_ID AZURE_CLIENT_SECRET
      AZURE_CLIENT_CERTIFICATE_PATH AZURE_FEDERATED_TOKEN_FILE AZURE_TOKEN_CREDENTIALS AZURE_SUBSCRIPTION_ID
      AZURE_RESOURCE_GROUP AZURE_LOCATION AZURE_ENV_NAME AZURE_SEARCH_ENDPOINT AZURE_STORAGE_CONNECTION_STRING
      AZURE_OPENAI_EMBEDDING_DEPLOYMENT AZURE_OPENAI_RESOURCE_NAME FUNCTIONS_EXTENSION_VERSION
      FUNCTIONS_WORKER_PROCESS_COUNT FUNCTIONS_WORKER_RUNTIME FUNCTIONS_WORKER_RUNTIME_VERSION
      FUNCTIONS_REQUEST_BODY_SIZE_LIMIT HOST_VERSION ASPNETCORE_URLS IDENTITY_ENDPOINT IDENTITY_HEADER MSI_ENDPOINT
      MSI_SECRET LANG LANGUAGE LOGNAME HOME HOSTNAME PATH PORT PWD SHELL TEMP TMP TMPDIR USER NODE_ENV NODE_OPTIONS
      NODE_EXTRA_CA_CERTS HTTP_PROXY HTTPS_PROXY NO_PROXY REGION_NAME OTEL_EXPORTER_OTLP_HEADERS
      OTEL_EXPORTER_OTLP_PROTOCOL OTEL_RESOURCE_ATTRIBUTES OTEL_TRACES_SAMPLER SCM_DO_BUILD_DURING_DEPLOYMENT
      WEBSITE_AUTH_CLIENT_ID WEBSITE_AUTH_ENCRYPTION_KEY WEBSITE_AUTH_OPENID_ISSUER WEBSITE_AUTH_SIGNING_KEY
      WEBSITE_CONTENTAZUREFILECONNECTIONSTRING WEBSITE_CONTENTSHARE WEBSITE_DEPLOYMENT_ID WEBSITE_HOSTNAME
      WEBSITE_INSTANCE_ID WEBSITE_OWNER_NAME WEBSITE_RESOURCE_GROUP WEBSITE_RUN_FROM_PACKAGE WEBSITE_SKU
      WEBSITE_SLOT_NAME WEBSITE_TIME_ZONE WEBSITE_VNET_ROUTE_ALL npm_config_cache npm_lifecycle_event`;
    const env = Object.fromEntries(names.split(/\s+/).map((name) => [name, 'set']));
    expect(warnings(env)).toEqual([]);
  });
});

describe('the example and docs/settings.md', () => {
  const read = new Set<string>();
  readConfig(new Proxy(minimal, { get: (env, name: string) => (read.add(name), env[name]) }));
  // LangChain's own settings are read only to refuse them.
  const names = [...read].filter((name) => !/^LANGCHAIN_|_V2$/.test(name)).toSorted();
  const example = JSON.parse(readFileSync(join(root, 'local.settings.example.json'), 'utf8')) as {
    IsEncrypted: boolean;
    Values: Record<string, unknown>;
  };
  const page = readFileSync(join(root, 'docs/settings.md'), 'utf8');
  /** The settings of the tables. The default is undefined when the table describes it in words. */
  const rows = [...page.matchAll(/^\| `(\w+)` \| (.*?) \| /gm)].map(([, name = '', cell = '']) => ({
    name,
    value: /^`([^`]*)`$/.exec(cell)?.[1],
  }));

  it('local.settings.example.json contains every setting but those of the platform, as strings', () => {
    // A host with an empty WEBSITE_SITE_NAME finds no function.
    const own = names.filter((name) => !name.startsWith('WEBSITE_'));
    expect(Object.keys(example.Values).toSorted()).toEqual(['FUNCTIONS_WORKER_RUNTIME', ...own].toSorted());
    for (const value of Object.values(example.Values)) expect(value).toBeTypeOf('string');
    expect(example.IsEncrypted).toBe(false);
  });

  it('the values of the example are the defaults', () => {
    const filled = Object.fromEntries(Object.entries(example.Values).filter(([, value]) => value !== ''));
    const config = readConfig({ ...minimal, ...(filled as Environment) });
    expect(config).toEqual(readConfig(minimal));
  });

  it('docs/settings.md has one row for every setting, and no other', () => {
    expect(rows.map(({ name }) => name).toSorted()).toEqual(names);
  });

  it('docs/settings.md has the default of every setting that has a value in the example', () => {
    const { FUNCTIONS_WORKER_RUNTIME: _, AzureWebJobsStorage: __, ...values } = example.Values;
    const documented = rows.filter(({ name }) => values[name]);
    expect(documented.length).toBeGreaterThan(10);
    expect(Object.fromEntries(documented.map(({ name, value }) => [name, value]))).toEqual(
      Object.fromEntries(Object.entries(values).filter(([, value]) => value !== '')),
    );
  });

  it.each(rows.filter(({ value }) => value !== undefined))(
    'the default in docs/settings.md is the default of the code: $name',
    ({ name, value }) => {
      // With a receiver, because the settings of the telemetry have no effect without one.
      const env: Environment = { ...minimal, OTEL_EXPORTER_OTLP_ENDPOINT: 'http://localhost:4318' };
      const set = { ...env, [name]: value };
      expect([readAuthLevel(set), readConfig(set)]).toEqual([readAuthLevel(env), readConfig(env)]);
    },
  );
});
