/** The settings of traces and metrics, under the names that OpenTelemetry and Azure define. */
import type { SettingsReader } from './settings-reader.ts';

/** Where traces and metrics are sent: to an OTLP endpoint, to Azure Monitor, or to both. */
export interface TelemetryConfig {
  /** Base address of an OTLP endpoint, without `/v1/traces`. */
  otlpEndpoint: string | undefined;
  azureMonitorConnectionString: string | undefined;
  serviceName: string;
  /** Whether traces contain the text of questions and answers. */
  capturesContent: boolean;
}

/**
 * Reads the telemetry settings. Returns null when no destination is set. Invalid values are added to the problems of
 * `settings`.
 */
export function readTelemetryConfig(settings: SettingsReader): TelemetryConfig | null {
  const otlpEndpoint = settings.httpUrl('OTEL_EXPORTER_OTLP_ENDPOINT');
  const azureMonitorConnectionString = settings.text('APPLICATIONINSIGHTS_CONNECTION_STRING');
  const serviceName = settings.text('OTEL_SERVICE_NAME') ?? settings.text('WEBSITE_SITE_NAME');
  const capturesContent =
    settings.oneOf('OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT', ['true', 'false']) === 'true';
  if (otlpEndpoint === undefined && azureMonitorConnectionString === undefined) return null;
  return {
    otlpEndpoint,
    azureMonitorConnectionString,
    serviceName: serviceName ?? 'azure-functions-ask',
    capturesContent,
  };
}
