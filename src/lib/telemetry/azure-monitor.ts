/** Exports traces and metrics to Application Insights. Imported only when the settings name a resource. */
import { createDefaultHttpClient, type HttpClient } from '@azure/core-rest-pipeline';
import { AzureMonitorMetricExporter, AzureMonitorTraceExporter } from '@azure/monitor-opentelemetry-exporter';
import type { AzureMonitorConfig } from '../config/config.ts';
import { createIdentity } from '../common/identity.ts';
import { createRateLimitedWarning } from '../common/log.ts';

const SETTING = 'APPLICATIONINSIGHTS_AUTHENTICATION_STRING';

/**
 * Creates the exporters. `warn` is called, at most once a minute, when Azure Monitor refuses a batch.
 * @throws Error when the connection string is invalid.
 */
export function createAzureMonitorExporters(
  { connectionString, identity }: AzureMonitorConfig,
  warn: (message: string) => void,
): { traces: AzureMonitorTraceExporter; metrics: AzureMonitorMetricExporter } {
  const options = {
    connectionString,
    // No file for undelivered items: a new instance would not find it.
    disableOfflineStorage: true,
    httpClient: createReportingClient(identity !== undefined, warn),
    // The scope of the tokens is Azure Monitor's, or the AADAudience of the connection string.
    ...(identity && { credential: createIdentity(identity) }),
  };
  return {
    traces: new AzureMonitorTraceExporter(options),
    metrics: new AzureMonitorMetricExporter(options),
  };
}

/**
 * The exporter reports statuses that it would retry from a file as success, even without that file. Among them are those
 * of a missing role.
 */
function createReportingClient(isSignedIn: boolean, warn: (message: string) => void): HttpClient {
  const client = createDefaultHttpClient();
  const warnOfBatch = createRateLimitedWarning(warn);
  return {
    async sendRequest(request) {
      const response = await client.sendRequest(request);
      const { status } = response;
      if (status > 400) {
        warnOfBatch(
          (count) =>
            `Azure Monitor refused traces or metrics with ${status} (${count} batches so far).${advice(status, isSignedIn)}`,
        );
      }
      return response;
    },
  };
}

/** 401: no valid token; 403: no role. learn.microsoft.com/azure/azure-monitor/app/azure-ad-authentication#troubleshooting */
function advice(status: number, isSignedIn: boolean): string {
  if (status !== 401 && status !== 403) return '';
  if (isSignedIn && status === 401) return ` Check the identity of ${SETTING}.`;
  return isSignedIn
    ? ` Give the identity of ${SETTING} the role Monitoring Metrics Publisher on the Application Insights resource.`
    : ` The resource does not accept the connection string alone: set ${SETTING}.`;
}
