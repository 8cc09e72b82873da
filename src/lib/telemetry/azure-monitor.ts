/** Exports traces and metrics to Application Insights. Imported only when the settings name a resource. */
import { createDefaultHttpClient, type HttpClient } from '@azure/core-rest-pipeline';
import { AzureMonitorMetricExporter, AzureMonitorTraceExporter } from '@azure/monitor-opentelemetry-exporter';
import type { AzureMonitorConfig } from '../config/config.ts';
import { createIdentity } from '../runtime/identity.ts';

/** The exporters, and what they cannot say themselves about a failure. */
export interface AzureMonitorExporters {
  traces: AzureMonitorTraceExporter;
  metrics: AzureMonitorMetricExporter;
  /** Says what to check after a refused request; undefined when the last request was not refused. */
  explain: () => string | undefined;
}

/**
 * Creates the exporters.
 * @throws Error when the connection string is invalid.
 */
export function createAzureMonitorExporters({
  connectionString,
  identity,
}: AzureMonitorConfig): AzureMonitorExporters {
  let status = 0;
  const client = createDefaultHttpClient();
  // The exporter replaces the error of a refused request by one that says nothing about it.
  const httpClient: HttpClient = {
    async sendRequest(request) {
      const response = await client.sendRequest(request);
      status = response.status;
      return response;
    },
  };
  const options = {
    connectionString,
    // No file for undelivered items: a new instance would not find it.
    disableOfflineStorage: true,
    httpClient,
    // The scope is Azure Monitor's, or the AadAudience of the connection string.
    ...(identity && { credential: createIdentity(identity) }),
  };
  return {
    traces: new AzureMonitorTraceExporter(options),
    metrics: new AzureMonitorMetricExporter(options),
    explain: () =>
      status === 401 || status === 403 ? explainRefusal(status, identity !== undefined) : undefined,
  };
}

const explainRefusal = (status: number, isSignedIn: boolean): string =>
  isSignedIn
    ? `${status}: give the identity of APPLICATIONINSIGHTS_AUTHENTICATION_STRING the role Monitoring Metrics Publisher on the Application Insights resource`
    : `${status}: the resource accepts no connection string alone, set APPLICATIONINSIGHTS_AUTHENTICATION_STRING`;
