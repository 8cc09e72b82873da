/** The settings of the log, traces and metrics, under the names that OpenTelemetry, Azure and LangSmith define. */
import { cloudOf, type IdentityConfig } from './clouds.ts';
import type { SettingsReader } from './settings-reader.ts';

/** From the most to the least severe. */
export const LOG_LEVELS = ['error', 'warn', 'info'] as const;

/** The least severe level that is logged. */
export type LogLevel = (typeof LOG_LEVELS)[number];

/** Where traces and metrics are sent: to an OTLP endpoint, to Azure Monitor, or to both. */
export interface TelemetryConfig {
  /** Base address of an OTLP endpoint, without `/v1/traces`. */
  otlpEndpoint: string | undefined;
  azureMonitor: AzureMonitorConfig | undefined;
  serviceName: string;
  /** Whether traces contain the text of questions and answers. */
  capturesContent: boolean;
}

/** An Application Insights resource. */
export interface AzureMonitorConfig {
  connectionString: string;
  /** Signs in to the resource. Undefined when the connection string is enough. */
  identity: IdentityConfig | undefined;
}

/**
 * Reads the telemetry settings. Returns null when no destination is set. Invalid values are added to the problems or
 * warnings of `settings`. `tokenTimeoutMs` is the time limit for getting a token.
 */
export function readTelemetryConfig(
  settings: SettingsReader,
  tokenTimeoutMs: number,
): TelemetryConfig | null {
  const otlpEndpoint = settings.httpUrl('OTEL_EXPORTER_OTLP_ENDPOINT');
  const connectionString = settings.text('APPLICATIONINSIGHTS_CONNECTION_STRING');
  const identity = readIdentity(settings, tokenTimeoutMs);
  const serviceName = settings.text('OTEL_SERVICE_NAME') ?? settings.text('WEBSITE_SITE_NAME');
  const capturesContent =
    settings.oneOf('OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT', ['true', 'false']) === 'true';
  if (otlpEndpoint === undefined && connectionString === undefined) return null;
  return {
    otlpEndpoint,
    azureMonitor: connectionString === undefined ? undefined : { connectionString, identity },
    serviceName: serviceName ?? 'azure-functions-ask',
    capturesContent,
  };
}

/** LangSmith, which gets the runs of LangChain. */
export interface LangSmithConfig {
  endpoint: string;
  apiKey: string;
  project: string;
  /** Whether runs contain prompts, and whether they contain answers. */
  showsInputs: boolean;
  showsOutputs: boolean;
}

/** LangChain reads them itself, and would send or log questions whatever the settings of the app say. */
const NOT_SUPPORTED = {
  LANGSMITH_TRACING_V2: 'use LANGSMITH_TRACING.',
  LANGCHAIN_TRACING: 'use LANGSMITH_TRACING.',
  LANGCHAIN_TRACING_V2: 'use LANGSMITH_TRACING.',
  LANGCHAIN_VERBOSE: 'it would log questions and answers.',
};

/**
 * Reads LangSmith's own settings; null when tracing is off. Prompts and answers are hidden unless it is said that they
 * are not: LangSmith itself would show them.
 */
export function readLangSmithConfig(settings: SettingsReader): LangSmithConfig | null {
  for (const [name, advice] of Object.entries(NOT_SUPPORTED)) {
    if (settings.text(name) === 'true') settings.problems.push(`${name} is not supported: ${advice}`);
  }
  const isOn = settings.oneOf('LANGSMITH_TRACING', ['true', 'false']) === 'true';
  const endpoint = settings.httpUrl('LANGSMITH_ENDPOINT') ?? 'https://api.smith.langchain.com';
  const apiKey = settings.text('LANGSMITH_API_KEY') ?? '';
  const project = settings.text('LANGSMITH_PROJECT') ?? 'azure-functions-ask';
  const [showsInputs, showsOutputs] = (['LANGSMITH_HIDE_INPUTS', 'LANGSMITH_HIDE_OUTPUTS'] as const).map(
    (name) => settings.oneOf(name, ['true', 'false']) === 'false',
  ) as [boolean, boolean];
  if (!isOn) return null;
  if (apiKey === '') settings.problems.push('LANGSMITH_TRACING needs LANGSMITH_API_KEY.');
  return { endpoint, apiKey, project, showsInputs, showsOutputs };
}

/**
 * Reads the setting that the Functions host signs in with too: `Authorization=AAD`, with `ClientId=ID` for a
 * user-assigned identity. An invalid one is only a warning, because questions are answered without telemetry.
 * learn.microsoft.com/azure/azure-functions/functions-app-settings#applicationinsights_authentication_string
 */
function readIdentity(settings: SettingsReader, timeoutMs: number): IdentityConfig | undefined {
  const name = 'APPLICATIONINSIGHTS_AUTHENTICATION_STRING';
  const authority = settings.httpsUrl('AZURE_AUTHORITY_HOST');
  const cloud = cloudOf(authority, settings.text('AZURE_OPENAI_ENDPOINT'));
  const text = settings.text(name);
  if (text === undefined) return undefined;
  const parts = new Map(
    text.split(';').map((part) => {
      const [key = '', value = ''] = part.split('=', 2).map((word) => word.trim());
      return [key.toLowerCase(), value] as const;
    }),
  );
  const clientId = parts.get('clientid');
  if (parts.get('authorization')?.toUpperCase() !== 'AAD' || clientId === '') {
    settings.warnings.push(
      `${name} must be "Authorization=AAD" or "ClientId=CLIENT_ID;Authorization=AAD". Traces and metrics are sent to Azure Monitor without signing in.`,
    );
    return undefined;
  }
  return { clientId, authorityHost: authority ?? cloud.authorityHost, timeoutMs };
}
